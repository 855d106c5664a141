import { execFile } from 'node:child_process'

export interface CommandOptions {
  /** The whole environment; this process's own where it is left out. */
  readonly env?: NodeJS.ProcessEnv
  /** What the program reads from stdin. */
  readonly input?: string
  readonly timeoutMs?: number
}

const MOST_OUTPUT = 1 << 26

/**
 * Runs a program and answers its stdout.
 *
 * @throws with what it said on stderr when it fails.
 */
export function run(
  program: string,
  args: readonly string[],
  { env, input, timeoutMs = 0 }: CommandOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: MOST_OUTPUT, timeout: timeoutMs, ...(env && { env }) }
    const child = execFile(program, args, options, (cause, stdout, stderr) => {
      if (cause) reject(new Error(stderr.trim() || cause.message, { cause }))
      else resolve(stdout)
    })
    // A program that ends before it has read everything says why on stderr; the broken pipe says nothing more.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
