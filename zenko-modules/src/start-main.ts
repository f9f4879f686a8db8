/** `npm start`: every part in one terminal, on the embedded defaults, with only Node installed. */
import { start } from './start.js';

void start();
