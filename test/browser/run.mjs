// The real browsers: node test/browser/run.mjs. Serves dist/ to Chromium and Firefox as Debian packages them,
// with and without cross-origin isolation, trains there, and compares the bits with those that Node gets; and with
// Content-Security-Policies that block WebAssembly or workers.
// Prints the counts; fails if a check fails. Needs `npm run build` first.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { chromium, firefox } from "playwright-core";
import { Dense, Network } from "../../dist/index.js";

const types = { html: "text/html", js: "text/javascript" };
const files = new Map([
  ["/", "page.html"],
  ["/dist/index.js", "../../dist/index.js"],
  ["/dist/binaries.js", "../../dist/binaries.js"],
  ["/dist/reference.js", "../../dist/reference.js"],
]);

/** Serves the page; isolated pages may share memory. `policy`: its Content-Security-Policy. */
function serve({ isolated, policy }) {
  const server = createServer((request, response) => {
    const file = files.get(request.url);
    if (!file) return response.writeHead(404).end();
    response.setHeader("Content-Type", types[file.split(".").pop()]);
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    if (policy) response.setHeader("Content-Security-Policy", policy);
    response.end(readFileSync(new URL(file, import.meta.url)));
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

/** Opens the page. */
async function open(browser, how) {
  const server = await serve(how);
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  // Not waitForFunction: it evaluates text, which a policy may forbid.
  while (!(await page.evaluate(() => window.ready))) await new Promise((resolve) => setTimeout(resolve, 20));
  const close = async () => {
    await page.close();
    server.close();
  };
  return { page, errors, close };
}

const scripts = "default-src 'self'; script-src 'self' 'unsafe-inline'";
const policies = [
  {
    blocks: "WebAssembly",
    policy: scripts,
    options: {},
    message:
      /^the engine did not compile .*script-src 'wasm-unsafe-eval'; or import { reference } from "wasmgrad\/reference"/s,
    instead: { plain: true },
  },
  {
    blocks: "workers from blobs",
    policy: `${scripts} 'wasm-unsafe-eval'`,
    options: { threads: 2 },
    message: /^could not start 2 worker threads .*threads: 1 .*worker-src blob:/s,
    instead: { threads: 1 },
  },
];

/** What page.html trains, here. */
async function trainHere() {
  let seed = 1;
  const next = () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  const inputs = Float64Array.from({ length: 200 * 30 }, () => Math.fround(next() * 2 - 1));
  const classes = Uint8Array.from({ length: 200 }, (_, i) => (i * i) % 7);
  const layers = [new Dense(40, { activation: "tanh" }), new Dense(7, { activation: "softmax" })];
  const network = new Network({ inputs: 30, layers, seed: 3, deterministic: true });
  const history = await network.fit(inputs, classes, { epochs: 60, learningRate: 0.1 });
  return { losses: history.map(({ loss }) => loss), weights: Array.from(network.layers[0].weights) };
}

const browsers = [
  {
    name: "Chromium",
    path: "/usr/bin/chromium",
    launch: (executablePath) =>
      chromium.launch({
        executablePath,
        args: [
          ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"],
          ...["--disable-background-networking", "--disable-component-update"],
        ],
      }),
  },
  {
    name: "Firefox",
    path: "/usr/bin/firefox-esr",
    launch: (executablePath) => firefox.launch({ channel: "moz-firefox", executablePath }),
  },
];

let passed = 0;
let failed = 0;
async function check(name, body) {
  try {
    await body();
    passed++;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n${error.stack}`);
  }
}

const expected = await trainHere();
for (const { name, path, launch } of browsers) {
  await check(`${name} is installed (apt-get install chromium firefox-esr)`, () => assert(existsSync(path)));
  if (!existsSync(path)) continue;
  const browser = await launch(path);
  for (const isolated of [true, false]) {
    const { page, errors, close } = await open(browser, { isolated });
    const train = (options) => page.evaluate((given) => window.train(given), options);
    const where = `${name}, ${isolated ? "isolated" : "not isolated"}:`;

    await check(`${where} one thread leaves the bits of Node`, async () => {
      const { losses, weights } = await train({ deterministic: true });
      assert.deepEqual({ losses, weights }, expected);
    });
    await check(
      `${where} three threads leave the same bits${isolated ? "" : ", on one, and say so once"}`,
      async () => {
        const result = await train({ deterministic: true, threads: 3 });
        assert.equal(result.isolated, isolated);
        assert.equal(result.threads, isolated ? 3 : 1);
        assert.equal(result.warnings.length, isolated ? 0 : 1);
        assert.deepEqual({ losses: result.losses, weights: result.weights }, expected);
        assert.equal((await train({ threads: 3 })).warnings.length, 0);
      },
    );
    await check(`${where} timers fire while it trains`, async () => {
      for (const threads of [1, 3]) {
        const end = await page.evaluate((given) => window.trainUntilTimersFire(given), { threads });
        assert.equal(end, "AbortError");
      }
    });
    await check(`${where} the reference executor leaves the same bits`, async () => {
      const { losses, weights } = await train({ plain: true });
      assert.deepEqual({ losses, weights }, expected);
    });
    await check(`${where} no error on the page`, () => assert.deepEqual(errors, []));
    await close();
  }
  for (const { blocks, policy, options, message, instead } of policies) {
    await check(`${name}: a policy that blocks ${blocks} is named, and there is a way out`, async () => {
      const { page, close } = await open(browser, { isolated: true, policy });
      const tryToTrain = (given) => page.evaluate((options) => window.tryToTrain(options), given);
      assert.match(await tryToTrain(options), message);
      assert.equal(await tryToTrain(instead), "trained");
      await close();
    });
  }
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
