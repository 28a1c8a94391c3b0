/** The raw LZMA stream of the bytes. */
export function compress(bytes: Uint8Array): Uint8Array;
