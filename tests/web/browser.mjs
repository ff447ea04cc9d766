// Headless Chromium and a server for its pages, for what drives them: page.mjs, and benches/peers/web.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { chromium } from 'playwright-core';

const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' };
const common = ['--no-sandbox', '--headless=new', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-quic', '--no-first-run'];

// Chromium's software WebGPU.
export const software = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

// Starts the browser with an empty profile, and with other variables of the environment if there are any.
export const start = (executablePath, more, variables = {}) => chromium.launch({ executablePath, args: [...common, ...more], env: { ...process.env, ...variables } });

// Serves a folder, with other contents for the paths in `replaced`. `url` ends in a slash.
export async function serve(folder, replaced = {}) {
  const server = createServer(async (request, response) => {
    const path = normalize(new URL(request.url, 'http://localhost').pathname).replace(/\/$/, '/index.html');
    const contents = replaced[path] ?? await readFile(join(folder, path)).catch(() => null);
    if (!contents) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(contents);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://localhost:${server.address().port}/`, close: () => server.close() };
}
