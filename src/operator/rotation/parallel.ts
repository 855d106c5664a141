/**
 * Works on all items, so many at once. After the first that fails nothing more is begun.
 * @returns what that one threw, when all that was begun has ended; undefined when none failed
 */
export async function inParallel<T>(
  items: readonly T[],
  most: number,
  work: (item: T) => Promise<void>,
): Promise<{ readonly error: unknown } | undefined> {
  const rest = items.values()
  let failed: { readonly error: unknown } | undefined
  const worker = async (): Promise<void> => {
    for (const item of rest) {
      if (failed) return
      try {
        await work(item)
      } catch (error) {
        failed ??= { error }
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker))
  return failed
}
