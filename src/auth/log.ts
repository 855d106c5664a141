/** pino's shape. What is logged never holds a credential, a query or a body. */
export interface AuthLog {
  debug(detail: object, message: string): void
  info(detail: object, message: string): void
  warn(detail: object, message: string): void
  error(detail: object, message: string): void
}

/** What went wrong, for the log: never for whoever asked. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
