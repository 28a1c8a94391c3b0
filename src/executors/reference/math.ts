// Elementary functions for scalars: the twin of assembly/math.ts, function by function, where methods and
// coefficients are explained. Each value goes through the same roundings in the same order as in a SIMD
// lane of the plain build, so both give the same bits for every input, except which NaN a NaN is. The 32
// functions round after every operation; their arguments and results are numbers that are exact in f32.

// Each function adds the exponent bias its kernel adds, unused here, so that ties round the same way.
const ROUND_64 = 6755399441055744; // 0x1.8p52
const ROUND_32 = 12582912; // 0x1.8p23

const LOG2E_64 = Math.LOG2E; // 3ff71547652b82fe
const LN2_HIGH_64 = 0.6931471805601177; // 3fe62e42fefa4000
const LN2_LOW_64 = -1.7239444525614835e-13; // bd48432a1b0e2634
const LOG2E_32 = 1.4426950216293335; // 3fb8aa3b
const LN2_HIGH_32 = 0.693145751953125; // 3f317200
const LN2_LOW_32 = 1.428606765330187e-6; // 35bfbe8e

/** Each view reads the bits that the other wrote. Words are little-endian, as in WebAssembly. */
const bytes = new ArrayBuffer(8);
const float64 = new Float64Array(bytes);
const float32 = new Float32Array(bytes);
const words = new Uint32Array(bytes);

/** POWERS[n + 1023] is 2^n, what the kernels make by shifting n + 1023 into the exponent. */
const POWERS = Float64Array.from({ length: 2047 }, (_, index) => 2 ** (index - 1023));

const fround = Math.fround;

/** a * b + c in f32, rounded twice as in the plain build. */
function madd32(a: number, b: number, c: number): number {
  return fround(fround(a * b) + c);
}

/** exp(r) - 1 for r = x - n ln 2, |r| <= ln(2) / 2. */
function expm1Reduced64(x: number, n: number): number {
  const r = n * -LN2_LOW_64 + (n * -LN2_HIGH_64 + x);
  const r2 = r * r;
  let even = 2.7630236711535076e-7; // 3e928ad6a9654412
  even = even * r2 + 2.4801493128966106e-5; // 3efa0199a14dd7fb
  even = even * r2 + 0.0013888888943603991; // 3f56c16c1842720e
  even = even * r2 + 0.041666666666530246; // 3fa5555555550889
  even = even * r2 + 0.5000000000000011; // 3fe000000000000a
  let odd = 2.5000073488150126e-8; // 3e5ad7f7c694f58b
  odd = odd * r2 + 2.755758627675283e-6; // 3ec71df253c5c57f
  odd = odd * r2 + 0.00019841269506752084; // 3f2a01a012a67535
  odd = odd * r2 + 0.008333333333494354; // 3f81111111127ba7
  odd = odd * r2 + 0.16666666666666413; // 3fc55555555554fa
  return (odd * r + even) * r2 + r;
}

/** As expm1Reduced64, in f32. */
function expm1Reduced32(x: number, n: number): number {
  const r = madd32(n, -LN2_LOW_32, madd32(n, -LN2_HIGH_32, x));
  const r2 = fround(r * r);
  let even = 0.0013814604608342052; // 3ab5121f
  even = madd32(even, r2, 0.04166838899254799); // 3d2aac79
  even = madd32(even, r2, 0.4999999403953552); // 3efffffe
  let odd = 0.00836871936917305; // 3c091cf4
  odd = madd32(odd, r2, 0.1666652113199234); // 3e2aaa49
  return madd32(madd32(odd, r, even), r2, r);
}

/** e to the power x. Error: 1.03 ulp. */
export function exp64(x: number): number {
  const bias = ROUND_64 + 2046;
  if (x > 710) x = 710;
  if (x < -746) x = -746;
  const n = x * LOG2E_64 + bias - bias;
  const power = expm1Reduced64(x, n) + 1;
  const biased = n + 2046;
  const half = biased >>> 1;
  return power * POWERS[half] * POWERS[(biased | 0) - half];
}

/** e to the power x, in f32. Error: 1.02 ulp. */
export function exp32(x: number): number {
  const bias = ROUND_32 + 254;
  if (x > 89) x = 89;
  if (x < -104) x = -104;
  const n = madd32(x, LOG2E_32, bias) - bias;
  const power = fround(expm1Reduced32(x, n) + 1);
  // One power is enough here: the f64 product is exact, so it rounds once, as the kernel's second one.
  return fround(power * POWERS[(n + 1023) | 0]);
}

/** Natural logarithm. Error: 0.86 ulp. */
export function log64(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  let bias = 1023;
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984;
    bias = 1077;
  }
  float64[0] = x;
  const bits = words[1] + (0x3ff00000 - 0x3fe6a09e);
  const k = (bits >>> 20) - bias;
  words[1] = (bits & 0x000fffff) + 0x3fe6a09e;
  const f = float64[0] - 1;

  const s = f / (f + 2);
  const z = s * s;
  const w = z * z;
  let even = 0.15313837699209373; // 3fc39a09d078c69f
  even = even * w + 0.22222198432149784; // 3fcc71c51d8e78af
  even = even * w + 0.3999999999940942; // 3fd999999997fa04
  let odd = 0.14798198605116586; // 3fc2f112df3e5244
  odd = odd * w + 0.1818357216161805; // 3fc7466496cb03de
  odd = odd * w + 0.2857142874366239; // 3fd2492494229359
  odd = odd * w + 0.6666666666666735; // 3fe5555555555593
  const rest = even * w + odd * z;
  const halfSquare = f * f * 0.5;
  const low = s * (halfSquare + rest) + k * LN2_LOW_64;
  return k * LN2_HIGH_64 + (low - halfSquare + f);
}

/** Natural logarithm, in f32. Error: 0.84 ulp. */
export function log32(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  let bias = 127;
  if (x < 1.1754943508222875e-38) {
    x *= 33554432;
    bias = 152;
  }
  float32[0] = x;
  const bits = words[0] + (0x3f800000 - 0x3f3504f3);
  const k = (bits >>> 23) - bias;
  words[0] = (bits & 0x007fffff) + 0x3f3504f3;
  const f = fround(float32[0] - 1);

  const s = fround(f / fround(f + 2));
  const z = fround(s * s);
  const w = fround(z * z);
  let even = 0.24279078841209412; // 3e789e26
  even = madd32(even, w, 0.40000972151756287); // 3eccce13
  let odd = 0.2849878668785095; // 3e91e9ee
  odd = madd32(odd, w, 0.6666666269302368); // 3f2aaaaa
  const rest = madd32(even, w, fround(odd * z));
  const halfSquare = fround(fround(f * f) * 0.5);
  const low = madd32(s, fround(halfSquare + rest), fround(k * LN2_LOW_32));
  return madd32(k, LN2_HIGH_32, fround(fround(low - halfSquare) + f));
}

/** Hyperbolic tangent. Error: 2.21 ulp. */
export function tanh64(x: number): number {
  const bias = ROUND_64 + 1023;
  let y = Math.abs(x) * -2;
  if (y < -44) y = -44;
  const n = y * LOG2E_64 + bias - bias;
  const e = expm1Reduced64(y, n);
  const scale = POWERS[(n + 1023) | 0];
  const change = e * scale;
  const result = (1 - scale - change) / (1 + scale + change);
  return x > 0 ? result : x < 0 ? -result : x;
}

/** Hyperbolic tangent, in f32. Error: 2.12 ulp. */
export function tanh32(x: number): number {
  const bias = ROUND_32 + 127;
  let y = Math.abs(x) * -2;
  if (y < -20) y = -20;
  const n = madd32(y, LOG2E_32, bias) - bias;
  const e = expm1Reduced32(y, n);
  const scale = POWERS[(n + 1023) | 0];
  const change = fround(e * scale);
  const result = fround(fround(fround(1 - scale) - change) / fround(fround(1 + scale) + change));
  return x > 0 ? result : x < 0 ? -result : x;
}

/** Logistic function 1 / (1 + exp(-x)). Error: 2.42 ulp. */
export function sigmoid64(x: number): number {
  const bias = ROUND_64 + 1023 - 64;
  const guard = 5.421010862427522e-20; // 0x1p-64
  if (x > 40) x = 40;
  if (x < -746) x = -746;
  const y = -x;
  const n = y * LOG2E_64 + bias - bias;
  const power = expm1Reduced64(y, n) + 1;
  return guard / (power * POWERS[(n + (1023 - 64)) | 0] + guard);
}

/** Logistic function 1 / (1 + exp(-x)), in f32. Error: 2.49 ulp. */
export function sigmoid32(x: number): number {
  const bias = ROUND_32 + 127 - 32;
  const guard = 2.3283064365386963e-10; // 0x1p-32
  if (x > 20) x = 20;
  if (x < -104) x = -104;
  const y = -x;
  const n = madd32(y, LOG2E_32, bias) - bias;
  const power = fround(expm1Reduced32(y, n) + 1);
  return fround(guard / madd32(power, POWERS[(n + (1023 - 32)) | 0], guard));
}
