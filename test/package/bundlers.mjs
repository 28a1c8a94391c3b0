// Bundlers as they come: each builds a page that uses the package, and the page trains in Chromium as Node does.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { tool, toolsNode } from "./home.mjs";
import { assertTask } from "./node.mjs";
import { succeed } from "./process.mjs";

const ESBUILD = tool(".bin/esbuild");
const ROLLUP = [toolsNode, tool("rollup/dist/bin/rollup"), "--plugin", "node-resolve"];

/** `html` is the page's script element for the bundlers that do not take or write a page. */
const BUNDLERS = {
  esbuild: {
    command: [ESBUILD, "src/index.js", "--bundle", "--outfile=dist/main.js"],
    html: '<script src="main.js"></script>',
  },
  "esbuild, minifying": {
    command: [ESBUILD, "src/index.js", "--bundle", "--minify", "--outfile=dist/main.js"],
    html: '<script src="main.js"></script>',
  },
  Vite: { command: [toolsNode, tool("vite/bin/vite.js"), "build"] },
  webpack: { command: [toolsNode, tool("webpack/bin/webpack.js")], html: '<script src="main.js"></script>' },
  Rollup: {
    command: [...ROLLUP, "src/index.js", "--file", "dist/main.js"],
    html: '<script type="module" src="main.js"></script>',
  },
  Parcel: { command: [toolsNode, tool("parcel/lib/bin.js"), "build", "index.html"] },
};

const FILES = { ".": "page", "src/task.mjs": "task.mjs" };

const CHROMIUM = {
  executablePath: "/usr/bin/chromium",
  args: [
    ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
    ...["--disable-background-networking", "--disable-component-update"],
  ],
};

export function bundlerChecks(home) {
  let expected;
  /** What a program finds in Node. */
  const findInNode = () => {
    expected ??= (async () => {
      const cwd = home.project("node-for-pages", { ".": "node", "task.mjs": "task.mjs" });
      const { stdout } = await succeed(process.execPath, ["import.mjs"], { cwd });
      const { names, ...found } = JSON.parse(stdout);
      return found;
    })();
    return expected;
  };

  return [
    ...Object.entries(BUNDLERS).map(([name, { command, html }]) => [
      `page: ${name} builds one that trains as Node does`,
      async () => {
        const [file, ...args] = command;
        const cwd = home.project(`page-${name.replaceAll(/\W+/g, "-")}`, FILES);
        await succeed(file, args, { cwd });
        if (html) writeFileSync(join(cwd, "dist/index.html"), `<!doctype html><body>${html}\n`);
        const { found, errors } = await open(join(cwd, "dist"));
        assert.deepEqual(errors, []);
        assertTask(found);
        assert.deepEqual(found, await findInNode());
      },
    ]),
    ...Object.entries({
      esbuild: (file) => [ESBUILD, file, "--bundle", "--format=esm", "--log-level=error"],
      Rollup: (file) => [...ROLLUP, file, "--silent"],
    }).map(([name, commandFor]) => [
      `page: ${name} makes nothing of an import that is not used`,
      async () => {
        const cwd = home.project(`bare-${name}`, {});
        mkdirSync(join(cwd, "src"));
        const bundle = async (source, text) => {
          writeFileSync(join(cwd, source), text);
          const [file, ...args] = commandFor(source);
          return (await succeed(file, args, { cwd })).stdout;
        };
        const nothing = await bundle("src/nothing.mjs", "");
        const bare = ["wasmgrad", "wasmgrad/data", "wasmgrad/reference"].map((name) => `import "${name}";\n`);
        assert.equal(await bundle("src/bare.mjs", bare.join("")), nothing);
      },
    ]),
  ];
}

/** Serves a folder, isolated so that threads can share memory, and opens it in Chromium. */
async function open(folder) {
  const types = { ".html": "text/html", ".js": "text/javascript" };
  const server = createServer((request, response) => {
    const path = request.url === "/" ? "/index.html" : request.url;
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    response.setHeader("Content-Type", types[extname(path)] ?? "application/octet-stream");
    try {
      response.end(readFileSync(join(folder, path)));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await chromium.launch(CHROMIUM);
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    await page.goto(`http://127.0.0.1:${server.address().port}/`, { waitUntil: "load" });
    return { found: await page.evaluate(() => window.found), errors };
  } finally {
    await browser.close();
    server.close();
  }
}
