import('./ready.mjs');
import('./s3-front/dist/main.js');
