// Support functions of transcendental functions of floats.
//
// Problem     The functions of the C library are calls: a loop with one of them is no vector loop,
//             and what they return differs between libraries.
// Method      Polynomials fitted for the least largest relative error (Lawson's iteration, then
//             rounded to float), on ranges that exact arithmetic reduces to. No branches and no
//             tables: both sides of every choice are computed. Multiply-adds are fused where that is
//             an instruction (`ckc_fma_f32`), but for sin, cos and pow.
//             exp        x = n log(2) + r, log(2) in two parts, the upper one short: n times it is
//                        exact. 2^n is made as bits.
//             log        x = 2^e (1 + f), 1 + f from sqrt(1/2) to sqrt(2).
//             log1p      As log of the rounded sum, with what rounding lost added to f.
//             expm1      2^n expm1(r) + (2^n - 1).
//             tanh       An odd polynomial below 0.55, then 1 - 2 / (exp(2 x) + 1).
//             erf        An odd polynomial below 0.93, then 1 - exp(-x - x Q(x)).
//             sin, cos   In double: x 2/pi modulo 4 from exact products with the bits of 2/pi that
//                        matter at the magnitude of x, then polynomials up to pi/4.
//             pow        2 to the power of y log2(x), in double.
// Invariants  Infinities, NaN, signed zeros and subnormal numbers as IEEE 754 has them. The bits
//             are those of every compiler that neither contracts nor reorders arithmetic, for
//             machines with fused multiply-adds and for those without.
// Checked by  Comparison with the C library's functions of doubles for all 2^32 floats; of sin and
//             cos for one in eight, in blocks of 4096; of pow for all pairs of 35 special
//             numbers and 200 million random pairs. The largest errors in units in the last place:
//               exp 0.90, log 0.83, log1p 1.39, expm1 1.50, tanh 1.43, logistic 1.97, erf 1.23,
//               sin 0.72, cos 0.72, pow 0.54.
//             That was without fused multiply-adds. With them, for all floats of magnitudes from 2^-26
//             to 2^8, of log from 2^-5 to 2^7, and for the ends of the ranges, none is larger.
// Cost        On a core with AVX-512, per element of a loop over 4096, in ns, beside the function
//             of the C library: exp 0.25 (1.6), log 0.34 (2.0), log1p 0.4 (5.5), expm1 0.3 (7),
//             tanh 0.4 (9), logistic 0.4 (1.7), erf 0.7 (7), sin and cos
//             1.3 (2.1), pow 1.4 (3.3). Fusing takes a third off: on a Zen 4, exp from 0.49 to 0.33,
//             tanh from 0.81 to 0.55, logistic from 0.87 to 0.52, erf from 1.22 to 0.89.

extension CSupport {
  /// Functions of `float`, each within two units in the last place.
  static let transcendental = [
    SupportFunction(
      name: "ckc_fma_f32",
      text: """
        /* A multiply-add, fused where that is an instruction. */
        CKC_INLINE float ckc_fma_f32(float a, float b, float c) {
        #if defined(__FMA__) || defined(__ARM_FEATURE_FMA) || defined(__aarch64__)
          return fmaf(a, b, c);
        #else
          return a * b + c;
        #endif
        }
        """),
    SupportFunction(
      name: "ckc_clamp_f32", calls: ["ckc_bits_of_f32", "ckc_f32_from_bits"],
      text: """
        /* x, but at least low, below 0, and at most high, above 0; NaN stays. As integers these are single
           instructions, as comparisons that must keep NaN they are many for some compilers: positive
           floats are ordered as signed integers are, negative ones as unsigned ones, the other way. */
        CKC_INLINE float ckc_clamp_f32(float x, float low, float high) {
          const int32_t bits = (int32_t)ckc_bits_of_f32(x), most = (int32_t)ckc_bits_of_f32(high);
          const uint32_t below = (uint32_t)(bits < most ? bits : most), least = ckc_bits_of_f32(low);
          const float clamped = ckc_f32_from_bits(below < least ? below : least);
          return x == x ? clamped : x;
        }
        """),
    SupportFunction(
      name: "ckc_exp_f32",
      calls: ["ckc_bits_of_f32", "ckc_clamp_f32", "ckc_f32_from_bits", "ckc_fma_f32"],
      text: """
        CKC_INLINE float ckc_exp_f32(float x) {
          const float y = ckc_clamp_f32(x, -104.0f, 89.0f);
          /* The sum has no fraction left: x = n log(2) + r. Its last bits are n + 254. */
          const float shifted = ckc_fma_f32(y, 0x1.715476p+0f, 0x1.8001fcp+23f);
          const float n = shifted - 0x1.8001fcp+23f;
          const float high = ckc_fma_f32(n, -0x1.62e4p-1f, y);
          const float r = ckc_fma_f32(n, -0x1.7f7d1cp-20f, high);
          /* What r lost to rounding. */
          const float lost = ckc_fma_f32(n, -0x1.7f7d1cp-20f, high - r);
          float p = 0x1.6a21acp-10f;
          p = ckc_fma_f32(p, r, 0x1.123b6ap-7f);
          p = ckc_fma_f32(p, r, 0x1.5558fap-5f);
          p = ckc_fma_f32(p, r, 0x1.55549p-3f);
          p = ckc_fma_f32(p, r, 0x1.fffffcp-2f);
          const float mantissa = (ckc_fma_f32(r * r, p, lost) + r) + 1.0f;
          /* In two steps, as neither 2^128 nor 2^-150 is a normal float: exponents with their bias of 127,
             which the shift brings into place, and which the upper bits leave through it. */
          const uint32_t k = ckc_bits_of_f32(shifted);
          const uint32_t half = k >> 1;
          const float scaled = mantissa * ckc_f32_from_bits(half << 23);
          /* What is 0 becomes so at once: a result that underflows takes some processors long. */
          return scaled * (x < -104.0f ? 0.0f : ckc_f32_from_bits((k - half) << 23));
        }
        """),
    SupportFunction(
      name: "ckc_expm1_f32",
      calls: ["ckc_bits_of_f32", "ckc_clamp_f32", "ckc_f32_from_bits", "ckc_fma_f32"],
      text: """
        CKC_INLINE float ckc_expm1_f32(float x) {
          const float y = ckc_clamp_f32(x, -18.0f, 89.0f);
          const float shifted = ckc_fma_f32(y, 0x1.715476p+0f, 0x1.8p+23f);
          const float n = shifted - 0x1.8p+23f;
          const float high = ckc_fma_f32(n, -0x1.62e4p-1f, y);
          const float r = ckc_fma_f32(n, -0x1.7f7d1cp-20f, high);
          float p = 0x1.a1a368p-13f;
          p = ckc_fma_f32(p, r, 0x1.6d7654p-10f);
          p = ckc_fma_f32(p, r, 0x1.11108ep-7f);
          p = ckc_fma_f32(p, r, 0x1.5554acp-5f);
          p = ckc_fma_f32(p, r, 0x1.555556p-3f);
          p = ckc_fma_f32(p, r, 0x1p-1f);
          p = ckc_fma_f32(r * r, p, r);
          const uint32_t k = ckc_bits_of_f32(shifted) - 0x4B400000u;
          /* Half of 2^n, as 2^128 is no float. */
          const float half = ckc_f32_from_bits((k + 126u) << 23);
          const float result = 2.0f * ckc_fma_f32(p, half, half - 0.5f);
          return fabsf(x) < 0x1p-25f ? x : n == 0.0f ? p : result;
        }
        """),
    SupportFunction(
      name: "ckc_log_sum_f32", calls: ["ckc_fma_f32"],
      text: """
        CKC_INLINE float ckc_log_sum_f32(float e, float f) {
          const float s = f * f;
          float p = 0x1.146318p-4f;
          p = ckc_fma_f32(p, f, -0x1.de4fa2p-4f);
          p = ckc_fma_f32(p, f, 0x1.e6f604p-4f);
          p = ckc_fma_f32(p, f, -0x1.fc1f6cp-4f);
          p = ckc_fma_f32(p, f, 0x1.2336e2p-3f);
          p = ckc_fma_f32(p, f, -0x1.555c5ap-3f);
          p = ckc_fma_f32(p, f, 0x1.99a4bcp-3f);
          p = ckc_fma_f32(p, f, -0x1.000006p-2f);
          p = ckc_fma_f32(p, f, 0x1.555548p-2f);
          const float low = ckc_fma_f32(s, f * p, e * 0x1.7f7d1cp-20f);
          return ckc_fma_f32(e, 0x1.62e4p-1f, f - ckc_fma_f32(0.5f, s, -low));
        }
        """),
    SupportFunction(
      name: "ckc_log_f32", calls: ["ckc_bits_of_f32", "ckc_f32_from_bits", "ckc_log_sum_f32"],
      text: """
        CKC_INLINE float ckc_log_f32(float x) {
          const int is_small = x < 0x1p-126f;
          /* The exponent changes at sqrt(1/2) times a power of two: e log(2) + log(1 + f). */
          const float normal = is_small ? x * 0x1p+23f : x;
          const uint32_t bits = ckc_bits_of_f32(normal) + 0x4AFB0Du;
          const float e = (float)(int32_t)(bits >> 23) - (is_small ? 150.0f : 127.0f);
          const float f = ckc_f32_from_bits((bits & 0x7FFFFFu) + 0x3F3504F3u) - 1.0f;
          const float number = ckc_log_sum_f32(e, f);
          const float edge = x == 0.0f ? -INFINITY : NAN;
          const float positive = x > 0.0f ? number : edge;
          return x < INFINITY ? positive : x;
        }
        """),
    SupportFunction(
      name: "ckc_log1p_f32", calls: ["ckc_bits_of_f32", "ckc_f32_from_bits", "ckc_log_sum_f32"],
      text: """
        CKC_INLINE float ckc_log1p_f32(float x) {
          const float sum = 1.0f + x;
          /* What the sum lost to rounding, of use as long as it is no part in 2^25 of it. */
          const float lost = x < 1.0f ? x - (sum - 1.0f) : 1.0f - (sum - x);
          const uint32_t bits = ckc_bits_of_f32(sum) + 0x4AFB0Du;
          const uint32_t exponent = bits >> 23;
          const float e = (float)(int32_t)exponent - 127.0f;
          const float unit = ckc_f32_from_bits((254u - exponent) << 23);
          const float scaled = x < 0x1p+25f ? lost * unit : 0.0f;
          const float mantissa = ckc_f32_from_bits((bits & 0x7FFFFFu) + 0x3F3504F3u);
          const float f = (mantissa - 1.0f) + scaled;
          const float number = ckc_log_sum_f32(e, f);
          const float edge = x == -1.0f ? -INFINITY : NAN;
          const float finite = x > -1.0f ? number : edge;
          const float inner = fabsf(x) < 0x1p-25f ? x : finite;
          return x < INFINITY ? inner : x;
        }
        """),
    SupportFunction(
      name: "ckc_tanh_f32",
      calls: ["ckc_bits_of_f32", "ckc_exp_f32", "ckc_f32_from_bits", "ckc_fma_f32"],
      text: """
        CKC_INLINE float ckc_tanh_f32(float x) {
          const uint32_t sign = ckc_bits_of_f32(x) & 0x80000000u;
          const float t = fabsf(x);
          const float s = t * t;
          float p = -0x1.9b3046p-8f;
          p = ckc_fma_f32(p, s, 0x1.593d08p-6f);
          p = ckc_fma_f32(p, s, -0x1.b9287ap-5f);
          p = ckc_fma_f32(p, s, 0x1.110d26p-3f);
          p = ckc_fma_f32(p, s, -0x1.55554ap-2f);
          const float small = ckc_fma_f32(t * s, p, t);
          const float large = 1.0f - 2.0f / (ckc_exp_f32(2.0f * t) + 1.0f);
          return ckc_f32_from_bits(ckc_bits_of_f32(t < 0.55f ? small : large) | sign);
        }
        """),
    SupportFunction(
      name: "ckc_logistic_f32", calls: ["ckc_exp_f32", "ckc_fma_f32"],
      text: """
        CKC_INLINE float ckc_logistic_f32(float x) {
          const float e = ckc_exp_f32(-fabsf(x));
          const float sum = 1.0f + e;
          /* What the sum lost to rounding. */
          const float lost = e - (sum - 1.0f);
          const float quotient = (x < 0.0f ? e : 1.0f) / sum;
          return ckc_fma_f32(-quotient, lost, quotient);
        }
        """),
    SupportFunction(
      name: "ckc_erf_f32",
      calls: ["ckc_bits_of_f32", "ckc_exp_f32", "ckc_f32_from_bits", "ckc_fma_f32"],
      text: """
        CKC_INLINE float ckc_erf_f32(float x) {
          const uint32_t sign = ckc_bits_of_f32(x) & 0x80000000u;
          const float t = fabsf(x) > 4.0f ? 4.0f : fabsf(x);
          const float s = t * t;
          float p = 0x1.5ac332p-14f;
          p = ckc_fma_f32(p, s, -0x1.a99ef6p-11f);
          p = ckc_fma_f32(p, s, 0x1.54b5e4p-8f);
          p = ckc_fma_f32(p, s, -0x1.b80cb4p-6f);
          p = ckc_fma_f32(p, s, 0x1.ce2df4p-4f);
          p = ckc_fma_f32(p, s, -0x1.812742p-2f);
          p = ckc_fma_f32(p, s, 0x1.06eba8p-3f);
          const float small = ckc_fma_f32(t, p, t);
          float q = -0x1.c0689ap-13f;
          q = ckc_fma_f32(q, t, 0x1.a535b2p-9f);
          q = ckc_fma_f32(q, t, -0x1.76f4dap-6f);
          q = ckc_fma_f32(q, t, 0x1.af1fc4p-4f);
          q = ckc_fma_f32(q, t, 0x1.457d9p-1f);
          q = ckc_fma_f32(q, t, 0x1.0731b6p-3f);
          const float large = 1.0f - ckc_exp_f32(-ckc_fma_f32(t, q, t));
          return ckc_f32_from_bits(ckc_bits_of_f32(t < 0.9296875f ? small : large) | sign);
        }
        """),
    SupportFunction(
      name: "ckc_turned_sin_f32", calls: ["ckc_bits_of_f64"],
      text: """
        CKC_INLINE float ckc_turned_sin_f32(float x, uint32_t turns) {
          const float size = fabsf(x);
          /* x 2/pi without most of what is a multiple of four: x times a power of two, less than
             2^48, and 2/pi by that power modulo 32, in four parts, so that products are exact. */
          const double scale =
              size < 0x1p+48f ? 1.0
              : size < 0x1p+76f ? 0x1p-28
              : size < 0x1p+104f ? 0x1p-56
              : 0x1p-84;
          const double k0 =
              size < 0x1p+48f ? 0x1.45f306p-1
              : size < 0x1p+76f ? 0x1.6e4e441p+4
              : size < 0x1p+104f ? 0x1.529fc27p+4
              : 0x1.57d1f53p+4;
          const double k1 =
              size < 0x1p+48f ? 0x1.b939104p-26
              : size < 0x1p+76f ? 0x1.4a7f09cp-26
              : size < 0x1p+104f ? 0x1.5f47d4cp-26
              : 0x1.377036cp-26;
          const double k2 =
              size < 0x1p+48f ? 0x1.4a7f09dp-54
              : size < 0x1p+76f ? 0x1.5f47d4dp-54
              : size < 0x1p+104f ? 0x1.377036dp-54
              : 0x1.8a5664fp-54;
          const double k3 =
              size < 0x1p+48f ? 0x1.7d1f534p-84
              : size < 0x1p+76f ? 0x1.bb81b6cp-85
              : size < 0x1p+104f ? 0x1.14acc9ep-83
              : 0x1.0e41078p-86;
          const double scaled = (double)x * scale;
          const double first = scaled * k0;
          const double second = scaled * k1;
          /* Adding 1.5 2^52 rounds to a whole number, which is then in the last bits. */
          const double first_rest = first - 4.0 * ((0.25 * first + 0x1.8p+52) - 0x1.8p+52);
          const double second_rest = second - 4.0 * ((0.25 * second + 0x1.8p+52) - 0x1.8p+52);
          const double shifted = (first_rest + second_rest) + 0x1.8p+52;
          const double whole = shifted - 0x1.8p+52;
          const double rest = ((first_rest - whole) + second_rest) + (scaled * k2 + scaled * k3);
          const uint64_t quadrant = ckc_bits_of_f64(shifted) + turns;
          const double r = rest * 0x1.921fb54442d18p+0;
          const double s = r * r;
          double p = -0x1.994387798862dp-13;
          p = p * s + 0x1.110739fa767edp-7;
          p = p * s - 0x1.555545240992p-3;
          const double sine = r * (p * s + 1.0);
          double q = 0x1.99eb4a7769d45p-16;
          q = q * s - 0x1.6c0c328f5db1p-10;
          q = q * s + 0x1.55554a0f97dc5p-5;
          q = q * s - 0.5;
          const double cosine = q * s + 1.0;
          const double value = (quadrant & 1u) != 0 ? cosine : sine;
          const float result = (float)((quadrant & 2u) != 0 ? -value : value);
          return size < INFINITY ? result : x - x;
        }
        """),
    SupportFunction(
      name: "ckc_sin_f32", calls: ["ckc_turned_sin_f32"],
      text: """
        CKC_INLINE float ckc_sin_f32(float x) {
          return ckc_turned_sin_f32(x, 0u);
        }
        """),
    SupportFunction(
      name: "ckc_cos_f32", calls: ["ckc_turned_sin_f32"],
      text: """
        CKC_INLINE float ckc_cos_f32(float x) {
          return ckc_turned_sin_f32(x, 1u);
        }
        """),
    SupportFunction(
      name: "ckc_pow_f32",
      calls: ["ckc_bits_of_f32", "ckc_bits_of_f64", "ckc_f32_from_bits", "ckc_f64_from_bits"],
      text: """
        CKC_INLINE float ckc_pow_f32(float x, float y) {
          const float magnitude = fabsf(x);
          const uint64_t bits = ckc_bits_of_f64((double)magnitude) + UINT64_C(0x95F619980C433);
          /* The exponent changes at sqrt(1/2) times a power of two; 2^52 takes it as last bits. */
          const uint64_t exponent = (bits >> 52) | UINT64_C(0x4330000000000000);
          const uint64_t fraction = bits & UINT64_C(0xFFFFFFFFFFFFF);
          const double e = ckc_f64_from_bits(exponent) - (0x1p+52 + 1023.0);
          const double m = ckc_f64_from_bits(fraction + UINT64_C(0x3FE6A09E667F3BCD));
          const double t = (m - 1.0) / (m + 1.0);
          const double s = t * t;
          double p = 0x1.2156c65d5cd64p-2;
          p = p * s + 0x1.479cb0c3d741p-2;
          p = p * s + 0x1.a619f72039923p-2;
          p = p * s + 0x1.2776c2eeda6dbp-1;
          p = p * s + 0x1.ec709dc4c2f39p-1;
          const double finite = e + (t * s * p + t * 0x1.71547652b82fep+1);
          const double nonzero = magnitude < INFINITY ? finite : (double)magnitude;
          const double logarithm = magnitude > 0.0f ? nonzero : -(double)INFINITY;
          const double product = (double)y * logarithm;
          const double below = product > 130.0 ? 130.0 : product;
          const double z = below < -160.0 ? -160.0 : below;
          const double shifted = z + 0x1.8p+52;
          const double r = z - (shifted - 0x1.8p+52);
          double q = 0x1.41fb9f477623bp-13;
          q = q * r + 0x1.5f3e7f51adbf8p-10;
          q = q * r + 0x1.3b2d4d7aad02ap-7;
          q = q * r + 0x1.c6aee839d549dp-5;
          q = q * r + 0x1.ebfbdc3b09c7fp-3;
          q = q * r + 0x1.62e430af6039ep-1;
          const double scale = ckc_f64_from_bits((ckc_bits_of_f64(shifted) + 1023u) << 52);
          const float power = (float)((q * r + 1.0) * scale);
          const int is_whole = floorf(y) == y;
          const int is_odd = is_whole && floorf(0.5f * y) != 0.5f * y;
          const uint32_t sign = is_odd ? ckc_bits_of_f32(x) & 0x80000000u : 0u;
          const float one = magnitude == 1.0f ? 1.0f : power;
          const float signed_power = ckc_f32_from_bits(ckc_bits_of_f32(one) | sign);
          const int is_real = x >= 0.0f || is_whole || magnitude == INFINITY;
          const float real = is_real ? signed_power : NAN;
          const float number = x == x && y == y ? real : x + y;
          return x == 1.0f || y == 0.0f ? 1.0f : number;
        }
        """),
  ]
}
