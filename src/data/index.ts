// Public entry `wasmgrad/data`: readers and writers of data set files.

export { formatIdx, type IdxArray, type IdxData, parseIdx } from "./idx.js";
