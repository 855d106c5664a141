/** Beyond it, samples are of two kinds; below it, one cannot tell by as many tries as there are pairs. */
export const telling = 4.5

/**
 * How sure one can be that two lists of paired samples differ: the z of Wilcoxon's signed-rank test. Pairs are taken one right
 * after the other, so that what slows the machine for a while slows both.
 * @returns about 0 for samples of one kind; beyond 4 in one of 16,000 tries on samples of one kind
 * @throws RangeError for fewer than 45 pairs: of two kinds of samples, a few that go astray would make one kind. With fewer than 27
 *   even samples of which each is longer than its other are below what is telling
 */
export function signedRank(one: readonly number[], other: readonly number[]): number {
  const most = zOf((one.length * (one.length + 1)) / 2, one.length)
  if (most < 1.3 * telling) throw new RangeError(`${one.length} pairs tell nothing: |z| ≤ ${most}`)
  const differences = one
    .map((sample, at) => sample - (other[at] ?? Number.NaN))
    .filter((difference) => difference !== 0)
  const sum = differences
    .toSorted((a, b) => Math.abs(a) - Math.abs(b))
    .reduce((ranks, difference, at) => ranks + Math.sign(difference) * (at + 1), 0)
  return zOf(sum, differences.length)
}

/** @param n how many ranks are summed */
function zOf(sum: number, n: number): number {
  return sum / Math.sqrt((n * (n + 1) * (2 * n + 1)) / 6)
}

export function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)] ?? Number.NaN
}
