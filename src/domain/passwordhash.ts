/** What a hash by argon2id costs (RFC 9106, section 3.1). */
export interface HashParameters {
  /** KiB. */
  readonly memory: number
  readonly iterations: number
  readonly parallelism: number
}

const phc =
  /^\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,2})\$([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{22,86})$/

/** Up to here a hash is verified whatever the settings say: somebody may have lowered them. KiB, passes, lanes. */
const always: HashParameters = { memory: 65_536, iterations: 10, parallelism: 4 }

/** Reads the parameters of a hash in the PHC string format. @returns undefined when it is none by argon2id, version 19 */
export function readPasswordHash(hash: string): HashParameters | undefined {
  const [, memory, iterations, parallelism] = phc.exec(hash) ?? []
  if (memory === undefined) return undefined
  return {
    memory: Number(memory),
    iterations: Number(iterations),
    parallelism: Number(parallelism),
  }
}

/** Whether a hash may be obeyed: a row that somebody wrote by hand must not ask for the machine's whole memory. */
export function isAffordable(hash: HashParameters, current: HashParameters): boolean {
  return (
    hash.memory <= Math.max(current.memory, always.memory) &&
    hash.iterations <= Math.max(current.iterations, always.iterations) &&
    hash.parallelism <= Math.max(current.parallelism, always.parallelism)
  )
}

/** Whether a hash is weaker than those that are made now. */
export function isOutdated(hash: HashParameters, current: HashParameters): boolean {
  return hash.memory < current.memory || hash.iterations < current.iterations
}

/**
 * A hash of no password at all: verifying it takes what verifying a hash of these parameters takes, and never succeeds.
 * @param random 48 bytes of a cryptographic generator
 */
export function hashOfNothing(
  { memory, iterations, parallelism }: HashParameters,
  random: Uint8Array,
): string {
  if (random.length !== 48) throw new RangeError('a hash of nothing takes 48 random bytes')
  const encode = (bytes: Uint8Array): string =>
    Buffer.from(bytes).toString('base64').replaceAll('=', '')
  const salt = encode(random.subarray(0, 16))
  return `$argon2id$v=19$m=${memory},t=${iterations},p=${parallelism}$${salt}$${encode(random.subarray(16))}`
}
