// The captured mail of a local system, as a process of its own: an SMTP server and the page on which mails are read.
import { once } from 'node:events'
import { readJson, writePrivate } from './keep.ts'
import { type CapturedMail, captureServer, Mailbox } from './mailbox.ts'
import { mailServer } from './mailpage.ts'
import { place } from './place.ts'

const { smtp, http }: { smtp: number; http: number } = JSON.parse(process.argv[2] ?? '{}')
// A link is good for days: it outlives this process.
const mailbox = new Mailbox(readJson<CapturedMail[]>(place.mail, []), (messages) => {
  writePrivate(place.mail, JSON.stringify(messages))
})
const capture = captureServer(mailbox)
const pages = mailServer(mailbox)

// A client that breaks off is no reason to end.
capture.on('error', (error) => console.log(error.message))
capture.listen(smtp, '127.0.0.1')
await once(pages.listen(http, '127.0.0.1'), 'listening')
process.once('SIGTERM', () => process.exit(0))
