/**
 * Coefficients of the functions that both backends write out, the highest power first: Moshier's Cephes in single
 * precision; erf is the rational of Eigen.
 * @module
 */

/** 2 e^r for |r| <= ln 2 / 2. */
export const EXP: ReadonlyArray<number> = [
  1.9875691500e-4,
  1.3981999507e-3,
  8.3334519073e-3,
  4.1665795894e-2,
  1.6666665459e-1,
  5.0000001201e-1,
  1,
  1,
].map((c) => 2 * c)

/** (log(1 + x) - x + x^2 / 2) / x^3 for 1 + x in [sqrt(1/2), sqrt(2)). */
export const LOG: ReadonlyArray<number> = [
  7.0376836292e-2,
  -1.1514610310e-1,
  1.1676998740e-1,
  -1.2420140846e-1,
  1.4249322787e-1,
  -1.6668057665e-1,
  2.0000714765e-1,
  -2.4999993993e-1,
  3.3333331174e-1,
]

/** erf(x) = x P(x^2) / Q(x^2) on [-4, 4]: P. */
export const ERF_ABOVE: ReadonlyArray<number> = [
  -2.72614225801306e-10,
  2.77068142495902e-08,
  -2.10102402082508e-06,
  -5.69250639462346e-05,
  -7.34990630326855e-04,
  -2.95459980854025e-03,
  -1.60960333262415e-02,
]

/** erf(x) = x P(x^2) / Q(x^2) on [-4, 4]: Q. */
export const ERF_BELOW: ReadonlyArray<number> = [
  -1.45660718464996e-05,
  -2.13374055278905e-04,
  -1.68282697438203e-03,
  -7.37332916720468e-03,
  -1.42647390514189e-02,
]

/** cos(r) in r^2, for |r| <= pi/4. */
export const COSINE: ReadonlyArray<number> = [
  2.443315711809948e-5,
  -1.388731625493765e-3,
  4.166664568298827e-2,
  -0.5,
  1,
]

/** (sin(r) - r) / r^3 in r^2, for |r| <= pi/4. */
export const SINE: ReadonlyArray<number> = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]
