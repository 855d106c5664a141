/** The server that takes our mail. */
export interface SmtpServer {
  readonly host: string
  readonly port: number
  /** `implicit`: from the first byte on; `starttls`: after STARTTLS, and nothing without it; `off`: none at all. */
  readonly tls: 'implicit' | 'starttls' | 'off'
  readonly login: { readonly user: string; readonly password: string } | undefined
}

/** Who our mails are from. */
export interface Sender {
  readonly name: string
  readonly address: string
}
