import type { z } from 'zod'
import { isLoopback, reading, readLogin } from './setting.ts'

/** The ports that RFC 8314, section 3.3, and RFC 5321 give to them. */
const ports = { 'smtps:': 465, 'smtp:': 587 } as const

/** Where mail is handed over, and how. */
export interface SmtpServerSetting {
  readonly host: string
  readonly port: number
  readonly tls: 'implicit' | 'starttls' | 'off'
  readonly login: { readonly user: string; readonly password: string } | undefined
}

/** Who mails are from. */
export interface SenderSetting {
  readonly name: string
  readonly address: string
}

/**
 * `smtps://user:password@host:465`, or `smtp://…:587` where STARTTLS is demanded. To this machine itself, or with `?tls=off`,
 * `smtp://` is without TLS. It holds a password, so its message never repeats it.
 */
export function smtpServer(): z.ZodType<SmtpServerSetting, string> {
  return reading(
    'must be a URL such as smtps://user:password@smtp.example.com, or smtp://smtp.example.com:587 for STARTTLS; ?tls=off sends without TLS',
    readServer,
  )
}

/** `no-reply@example.com`, or `Example <no-reply@example.com>`. */
export function sender(): z.ZodType<SenderSetting, string> {
  return reading(
    'must be an address, or a name and an address such as Example <no-reply@example.com>',
    (text) => {
      const named = /^([^<>"\p{Cc}]{1,120}) <([^<>]+)>$/u.exec(text)
      const address = named?.[2] ?? text
      const wellFormed = /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,189}$/.test(
        address,
      )
      return wellFormed ? { name: named?.[1]?.trim() ?? '', address } : undefined
    },
  )
}

function readServer(text: string): SmtpServerSetting | undefined {
  const url = /^smtps?:\/\/[!-~]+$/.test(text) ? URL.parse(text) : null
  if (!url || url.hostname === '' || !/^\/?$/.test(url.pathname) || url.hash !== '')
    return undefined
  if (!/^(\?tls=off)?$/.test(url.search)) return undefined
  const plain = url.search !== ''
  const implicit = url.protocol === 'smtps:'
  if (implicit && plain) return undefined
  const login = readLogin(url)
  if (login === 'malformed' || login?.user === '') return undefined
  const port = url.port === '' ? ports[implicit ? 'smtps:' : 'smtp:'] : Number(url.port)
  const starttls = !plain && !isLoopback(url.hostname)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { host, port, tls: implicit ? 'implicit' : starttls ? 'starttls' : 'off', login }
}
