/** What a browser shows at the endpoint itself: what this is, and how to connect. Nothing on it is secret. */
import type { IncomingMessage } from 'node:http';
import type { S3Response } from '../operations/operation.js';
import type { RequestTarget } from './request-target.js';

/** Whether a browser asks for the endpoint itself, without credentials: no S3 client accepts HTML. */
export function isForBrowser({ method, headers }: IncomingMessage, target: RequestTarget): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    target.path === '/' &&
    target.query.names().length === 0 &&
    headers.authorization === undefined &&
    (headers.accept ?? '').includes('text/html')
  );
}

/** @param endpoint the URL under which the browser has found it */
export function landingPage(endpoint: string): S3Response {
  const body = page(endpoint);
  return {
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
    body,
  };
}

/** A Host that could be anything but a host is not shown. */
export function endpointOf({ headers, socket }: IncomingMessage): string {
  const { host = '' } = headers;
  const scheme = 'encrypted' in socket ? 'https' : 'http';
  return `${scheme}://${/^[\w.-]+(:\d+)?$|^\[[\da-fA-F:.]+\](:\d+)?$/.test(host) ? host : '127.0.0.1:8000'}`;
}

function page(endpoint: string): string {
  const { host } = new URL(endpoint);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>s3-front at ${host}</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 54rem; margin: 3rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; margin-bottom: 0; }
  h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
  pre { overflow-x: auto; padding: .8rem 1rem; border-radius: .4rem; background: rgba(127, 127, 127, .15); }
  code, pre { font: 14px/1.5 ui-monospace, monospace; }
  td { padding: .1rem 1.5rem .1rem 0; }
</style>
<h1>An S3 endpoint</h1>
<p>This is s3-front, a small S3 endpoint over the storage modules of Zenko CloudServer, for trying them on one machine.
Tools of S3 connect to it as they are.</p>
<table>
  <tr><td>endpoint</td><td><code>${endpoint}</code></td></tr>
  <tr><td>region</td><td><code>us-east-1</code></td></tr>
  <tr><td>addresses</td><td>path-style, <code>${endpoint}/bucket/key</code></td></tr>
  <tr><td>credentials</td><td>the values of <code>S3_ACCESS_KEY</code> and <code>S3_SECRET_KEY</code>, which
  <code>npm start</code> tells</td></tr>
</table>
<p>In the snippets, put them in the place of <code>ACCESS_KEY</code> and <code>SECRET_KEY</code>.</p>
<h2>AWS CLI</h2>
<pre>export AWS_ACCESS_KEY_ID=ACCESS_KEY AWS_SECRET_ACCESS_KEY=SECRET_KEY AWS_DEFAULT_REGION=us-east-1
aws --endpoint-url ${endpoint} s3 mb s3://my-bucket
aws --endpoint-url ${endpoint} s3 cp FILE s3://my-bucket/
aws --endpoint-url ${endpoint} s3 ls s3://my-bucket</pre>
<h2>rclone</h2>
<pre>rclone config create zenko s3 provider=Other endpoint=${endpoint} \\
  access_key_id=ACCESS_KEY secret_access_key=SECRET_KEY region=us-east-1 force_path_style=true
rclone copy FOLDER zenko:my-bucket</pre>
<h2>boto3</h2>
<pre>import boto3
from botocore.config import Config

s3 = boto3.client("s3", endpoint_url="${endpoint}", region_name="us-east-1",
                  aws_access_key_id="ACCESS_KEY", aws_secret_access_key="SECRET_KEY",
                  config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
s3.upload_file("FILE", "my-bucket", "KEY")</pre>
</html>
`;
}
