declare module "tiny-inflate" {
  /** Expands a raw deflate stream into `output`, which must be as long as the result. */
  export default function inflate<Buffer extends ArrayBufferLike>(
    source: Uint8Array,
    output: Uint8Array<Buffer>,
  ): Uint8Array<Buffer>;
}
