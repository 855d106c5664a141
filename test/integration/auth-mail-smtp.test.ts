import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import type { SMTPServerOptions } from 'smtp-server'
import { afterEach, describe, expect, test } from 'vitest'
import { Smtp, type SmtpOptions } from '../../src/auth/mail/smtp.ts'
import type { SmtpServer } from '../../src/auth/mail/smtpserver.ts'
import { selfSigned } from '../support/certificate.ts'
import { type MailServer, startMailServer } from '../support/mailserver.ts'

const certificate = selfSigned(['127.0.0.1', 'localhost'])
const login = { user: 'cardea', password: 'hunter-2-hunter-2' }
const letter = { subject: 'Hello', text: 'Hello there.\n', html: '<p>Hello there.</p>' }
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function aServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const server = await startMailServer(options)
  closing.push(() => server.stop())
  return server
}

function aClient(server: Partial<SmtpServer>, options: Partial<SmtpOptions> = {}): Smtp {
  const smtp = new Smtp({
    server: { host: '127.0.0.1', port: 1, tls: 'off', login: undefined, ...server },
    sender: { name: 'Acme', address: 'no-reply@acme.example' },
    authorities: certificate.cert,
    host: 'id.acme.example',
    connections: 2,
    deadline: 3000,
    ...options,
  })
  closing.push(() => smtp.close())
  return smtp
}

/** With a login that one has to know. */
const guarded: SMTPServerOptions = {
  ...certificate,
  disabledCommands: [],
  authOptional: false,
  onAuth({ username, password }, _session, done) {
    const right = username === login.user && password === login.password
    if (right) done(null, { user: 'cardea' })
    else done(new Error(`no such login: ${username} ${password}`))
  },
}

describe('TLS', () => {
  test.each([
    ['from the first byte on', 'implicit', { ...guarded, secure: true }],
    ['by STARTTLS', 'starttls', guarded],
  ] as const)('%s, with a login', async (_how, tls, options) => {
    let secure: boolean | undefined
    const server = await aServer({
      ...options,
      onMailFrom(_address, session, done) {
        secure = session.secure
        done()
      },
    })
    const smtp = aClient({ port: server.port, tls, login })
    expect(await smtp.send('1', 'ann@acme.example', letter)).toEqual({ outcome: 'sent' })
    expect(secure).toBe(true)
  })

  test('is demanded: a server that does not offer STARTTLS gets nothing', async () => {
    const server = await aServer({ disabledCommands: ['AUTH', 'STARTTLS'] })
    const smtp = aClient({ port: server.port, tls: 'starttls' })
    const delivery = await smtp.send('1', 'ann@acme.example', letter)
    expect(delivery.outcome).toBe('unreachable')
    expect(server.mailbox.messages).toEqual([])
  })

  const elsewhere = selfSigned(['smtp.acme.example'])
  test.each([
    ['of nobody whom we trust', certificate, undefined],
    ['for another name', elsewhere, elsewhere.cert],
  ] as const)(
    'is checked: a certificate %s ends it before the login',
    async (_how, its, authorities) => {
      let asked = false
      const server = await aServer({
        ...guarded,
        ...its,
        onAuth(_auth, _session, done) {
          asked = true
          done(new Error('no'))
        },
      })
      const smtp = aClient({ port: server.port, tls: 'starttls', login }, { authorities })
      expect(await smtp.send('1', 'ann@acme.example', letter)).toMatchObject({
        outcome: 'unreachable',
      })
      expect(asked).toBe(false)
    },
  )

  test('a server that hides the login gets neither mail nor credentials', async () => {
    const server = await aServer({ ...certificate, disabledCommands: ['AUTH'] })
    const smtp = aClient({ port: server.port, tls: 'starttls', login })
    expect(await smtp.send('1', 'ann@acme.example', letter)).toMatchObject({
      outcome: 'unreachable',
    })
    expect(server.mailbox.messages).toEqual([])
  })
})

test('a wrong login is for whoever runs this to put right, and is never repeated in the reason', async () => {
  const server = await aServer(guarded)
  const smtp = aClient({
    port: server.port,
    tls: 'starttls',
    login: { user: 'cardea', password: 'wrong-wrong-wrong' },
  })
  const delivery = await smtp.send('1', 'ann@acme.example', letter)
  expect(delivery).toMatchObject({ outcome: 'unreachable', reason: expect.stringMatching('EAUTH') })
  expect(JSON.stringify(delivery)).not.toContain('wrong-wrong')
})

describe('what the server answers', () => {
  const answering = (at: 'from' | 'to' | 'data', code: number): SMTPServerOptions => {
    const error = Object.assign(
      new Error('quoted: https://id.acme.example/reset?token=co_secret'),
      {
        responseCode: code,
      },
    )
    if (at === 'from') return { onMailFrom: (_address, _session, done) => done(error) }
    if (at === 'to') return { onRcptTo: (_address, _session, done) => done(error) }
    return {
      onData(stream, _session, done) {
        stream.resume()
        stream.once('end', () => done(error))
      },
    }
  }

  test.each([
    ['to', 550, 'refused'],
    ['to', 450, 'deferred'],
    ['to', 421, 'unreachable'],
    ['data', 554, 'refused'],
    ['data', 452, 'deferred'],
    ['data', 421, 'unreachable'],
    ['from', 550, 'unreachable'],
    ['from', 451, 'unreachable'],
  ] as const)('to the part “%s” with %i means %s', async (at, code, outcome) => {
    const server = await aServer(answering(at, code))
    const delivery = await aClient({ port: server.port }).send('1', 'ann@acme.example', letter)
    expect(delivery.outcome).toBe(outcome)
  })

  test('to the content is not kept: filters quote what they refuse', async () => {
    const server = await aServer(answering('data', 554))
    const delivery = await aClient({ port: server.port }).send('1', 'ann@acme.example', letter)
    expect(delivery).toEqual({ outcome: 'refused', reason: 'EMESSAGE DATA 554' })
  })
})

describe('a server that is not there', () => {
  async function listening(onConnection: (socket: Socket) => void): Promise<number> {
    const server: Server = createServer(onConnection)
    const sockets = new Set<Socket>()
    server.on('connection', (socket) => sockets.add(socket.on('error', () => {})))
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    closing.push(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    return (server.address() as AddressInfo).port
  }

  test('is told at once where the connection is refused', async () => {
    const server = await startMailServer()
    await server.stop()
    const delivery = await aClient({ port: server.port }).send('1', 'ann@acme.example', letter)
    expect(delivery).toMatchObject({
      outcome: 'unreachable',
      reason: expect.stringMatching('ECONNREFUSED'),
    })
  })

  test.each([
    ['says nothing', () => {}],
    ['hangs up', (socket: Socket) => socket.end()],
    [
      'trickles a greeting that does not end',
      (socket: Socket) => {
        const timer = setInterval(() => socket.write('220-still here\r\n'), 50)
        socket.once('close', () => clearInterval(timer))
      },
    ],
  ])('is told within the deadline where it %s', async (_what, behave) => {
    const port = await listening(behave)
    const start = performance.now()
    const smtp = aClient({ port }, { deadline: 500 })
    expect(await smtp.send('1', 'ann@acme.example', letter)).toMatchObject({
      outcome: 'unreachable',
    })
    expect(performance.now() - start).toBeLessThan(1500)
  })
})

describe('nobody puts words into our mouth', () => {
  test.each([
    'ann@acme.example>\r\nRCPT TO:<eve@evil.example',
    'ann@acme.example\r\nBcc: eve@evil.example',
    'ann@acme.example, eve@evil.example',
    'Ann <ann@acme.example>',
    '<eve@evil.example>',
    'ann@acme.example\0',
    '',
  ])('an address such as %j is refused before the server hears of it', async (recipient) => {
    const server = await aServer()
    expect(await aClient({ port: server.port }).send('1', recipient, letter)).toEqual({
      outcome: 'refused',
      reason: 'no address',
    })
    expect(server.mailbox.messages).toEqual([])
  })

  test.each([
    'Hello\r\nBcc: eve@evil.example\r\n\r\nother body',
    'Hello\nX-Injected: yes',
    '=?utf-8?q?Hello=0D=0AX-Injected:_yes?=',
  ])('a subject such as %j makes no header', async (subject) => {
    const server = await aServer()
    const smtp = aClient({ port: server.port })
    expect(await smtp.send('1', 'ann@acme.example', { ...letter, subject })).toEqual({
      outcome: 'sent',
    })
    const [mail] = server.mailbox.messages
    expect(Object.keys(mail?.headers ?? {})).not.toContain('bcc')
    expect(Object.keys(mail?.headers ?? {})).not.toContain('x-injected')
    expect(mail?.to).toEqual(['ann@acme.example'])
    expect(mail?.text).toContain('Hello there.')
  })

  test('a sender’s name with quotes and other alphabets arrives as it is', async () => {
    const server = await aServer()
    const name = 'Müller "The Best" <eve@evil.example>, Söhne'
    const sender = { name, address: 'no-reply@acme.example' }
    await aClient({ port: server.port }, { sender }).send('1', 'ann@acme.example', letter)
    const [mail] = server.mailbox.messages
    expect(mail?.from).toBe('no-reply@acme.example')
  })

  test('each attempt has a Message-ID of its own, and says that it is automatic', async () => {
    const server = await aServer()
    const smtp = aClient({ port: server.port })
    for (let attempt = 0; attempt < 2; attempt++) await smtp.send('1', 'ann@acme.example', letter)
    const ids = server.mailbox.messages.map(({ headers }) => headers['message-id'])
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^<1\.[0-9a-f]{16}@acme\.example>$/)
    expect(server.mailbox.messages[0]?.headers['auto-submitted']).toBe('auto-generated')
  })
})
