import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { html } from '../../src/web/html.ts'
import type { Mailbox } from './mailbox.ts'

/** Where captured mail is read: a page for people, JSON for programs. On loopback alone: mails have tokens in them. */
export function mailServer(mailbox: Mailbox): Server {
  return createServer((request, response) => {
    // A page from elsewhere that had its name resolve to here would otherwise read along.
    if (!/^(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?$/.test(request.headers.host ?? '')) {
      answer(response, 421, { error: 'ask by a loopback address' })
      return
    }
    serve(mailbox, request, response)
  })
}

function serve(mailbox: Mailbox, request: IncomingMessage, response: ServerResponse): void {
  const { method = 'GET', url = '/' } = request
  const [path = '/'] = url.split('?', 1)
  const id = /^\/messages\/([0-9a-f-]{36})$/.exec(path)?.[1]
  if (method === 'DELETE' && path === '/messages') {
    mailbox.clear()
    response.writeHead(204).end()
  } else if (method !== 'GET') {
    answer(response, 405, { error: 'GET, or DELETE /messages' })
  } else if (path === '/messages') {
    answer(response, 200, mailbox.messages)
  } else if (id !== undefined && mailbox.find(id)) {
    answer(response, 200, mailbox.find(id))
  } else if (path === '/') {
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'",
    })
    response.end(page(mailbox))
  } else {
    answer(response, 404, { error: 'there is no such message' })
  }
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function page({ messages }: Mailbox): string {
  const items = messages.map(
    ({ subject, to, receivedAt, text, links }) => html`<article>
<h2>${subject}</h2>
<p>to ${to.join(', ')}, <time>${receivedAt}</time></p>
<pre>${text}</pre>
<ul>${links.map((link) => html`<li><a href="${link}">${link}</a></li>\n`)}</ul>
</article>
`,
  )
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Captured mail</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
article{border-top:1px solid;padding:.5rem 0}pre{white-space:pre-wrap}a{word-break:break-all}</style>
</head>
<body>
<h1>Captured mail</h1>
<p>What the auth service sent is kept here and goes nowhere else. Programs read <code>/messages</code>.</p>
${items.length > 0 ? items : html`<p>There is none yet.</p>`}
</body>
</html>
`.toString()
}
