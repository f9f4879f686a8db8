#!/usr/bin/env node
import { runMain } from './command/run-main.js';
import { VERBS } from './command/verbs.js';

await runMain(VERBS);
