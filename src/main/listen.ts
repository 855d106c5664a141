import { ConfigurationError } from '../config/environment.ts'

/**
 * Waits for a server to listen.
 * @throws ConfigurationError naming the variable that holds the address, when it cannot be listened on
 */
export async function listening<T>(variable: string, started: Promise<T>): Promise<T> {
  try {
    return await started
  } catch (error) {
    const { syscall, code } = error as NodeJS.ErrnoException
    if (syscall !== 'listen' && syscall !== 'getaddrinfo') throw error
    throw new ConfigurationError([
      { variable, problem: `must be an address that is free and this machine's own (${code})` },
    ])
  }
}
