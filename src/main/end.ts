import { ConfigurationError } from '../config/environment.ts'
import { MigrationRefused } from '../db/migrate.ts'
import { openLogger } from './logger.ts'

/**
 * Says why a program ends: a sentence for what whoever runs it can mend, a log line for a fault.
 * @returns the exit code: 2 for a wrong setting or database, 1 for a fault
 */
export function explainEnd(error: unknown, program: string): number {
  if (error instanceof ConfigurationError || error instanceof MigrationRefused) {
    process.stderr.write(`${program}: ${error.message}\n`)
    return 2
  }
  openLogger('info', program).fatal({ err: error }, 'the program ends by a fault')
  return 1
}
