// Two statements of @assemblyscript/loader (0.28.20) run at import and must not: in a process with frozen intrinsics
// (node --frozen-intrinsics), or where there is no TextDecoder, `import "wasmgrad"` would throw, with no network made
// yet; and a library has no business changing Object. The bundle has them changed, and a third for its size. This can go
// when the loader's own file has no such statements: the build fails when it does not find them as they are here.

import { readFile } from "node:fs/promises";

const CHANGES = [
  {
    // Decodes the text of aborts and traces; where that throws, the loader has another way.
    from: 'const utf16 = new TextDecoder("utf-16le", { fatal: true }); // != wtf16',
    to: 'const utf16 = { decode: (text) => new TextDecoder("utf-16le", { fatal: true }).decode(text) }; // != wtf16',
    what: "makes its TextDecoder when it needs one, not at import",
  },
  {
    // Every engine with the SIMD that the binaries need has Object.hasOwn.
    from: `/** polyfill for Object.hasOwn */
Object.hasOwn = Object.hasOwn || function(obj, prop) {
  return Object.prototype.hasOwnProperty.call(obj, prop);
};`,
    to: "",
    what: "does not define Object.hasOwn",
  },
  {
    // 2 kilobytes, gzipped, for strings, arrays, classes and traces: our binaries import nothing but their memory, export
    // plain functions, and have no runtime that the helpers could call.
    from: `  const extended = preInstantiate(imports);
  const instance = new WebAssembly.Instance(module, imports);
  const exports = postInstantiate(extended, instance);`,
    to: `  const instance = new WebAssembly.Instance(module, imports);
  const exports = instance.exports;`,
    what: "adds no imports and gives the exports as they are",
  },
];

/** What is changed, for the licence asks to say so. */
export const loaderChanges = CHANGES.map(({ what }) => what);

/** The plugin of esbuild that changes the loader. */
export const mendLoader = {
  name: "mend @assemblyscript/loader",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]@assemblyscript[\\/]loader[\\/]index\.js$/ }, async ({ path }) => {
      let contents = (await readFile(path, "utf8")).replaceAll("\r\n", "\n");
      for (const { from, to } of CHANGES) {
        const found = contents.split(from).length - 1;
        if (found !== 1)
          throw new Error(
            `${path} has this ${found} times instead of once; see whether scripts/loader.mjs is still needed:\n${from}`,
          );
        contents = contents.replace(from, () => to);
      }
      return { contents, loader: "js" };
    });
  },
};
