import { describe, expect, test } from 'vitest'
import { setLetter } from './letter.ts'
import * as letters from './letters.ts'
import { momentInWords, nameInWords, oneLine } from './words.ts'

const publicUrl = 'https://id.acme.example'
const token = 'co_AAAAAAAAAAAAAAAAAAAAAA'
const facts: letters.Facts = {
  publicUrl,
  organization: { name: 'acme', displayName: 'Acme Inc.' },
  recipient: 'ann@acme.example',
  token,
  code: '012345',
  ends: new Date('2026-11-21T19:40:00Z'),
  request: {
    address: '192.0.2.7',
    device: 'Firefox on Linux',
    at: new Date('2026-11-21T18:40:00Z'),
    until: new Date('2026-11-21T18:55:00Z'),
  },
  invitation: { role: 'developer', project: 'Scanner', invitedBy: 'host@acme.example' },
}
const all = Object.entries(letters) as [
  string,
  (from: letters.Facts) => ReturnType<typeof letters.invitation>,
][]

describe.each([
  ['registration', letters.registration, `${publicUrl}/verify?token=${token}`],
  ['invitation', letters.invitation, `${publicUrl}/invitation?token=${token}`],
  ['emailVerification', letters.emailVerification, `${publicUrl}/verify?token=${token}`],
  ['passwordReset', letters.passwordReset, `${publicUrl}/reset?token=${token}`],
] as const)('%s', (_name, write, link) => {
  const { text, html } = setLetter(write(facts))

  test('has its link once in the text, and as a button and as text in the markup', () => {
    expect(text.split(link)).toHaveLength(2)
    expect(html.split(`href="${link}"`)).toHaveLength(2)
    expect(html).toContain(`<span class="url">${link}</span>`)
  })

  test('says until when it works, and what to do when it was somebody else', () => {
    for (const part of [text, html]) {
      expect(part).toContain('21 November 2026 at 19:40 UTC')
      expect(part).toMatch(/If (it was not you|you do not know)/)
    }
  })
})

test('whoever is asked hears from where it was asked for', () => {
  for (const write of [letters.registration, letters.passwordReset, letters.emailCode]) {
    expect(setLetter(write(facts)).text).toContain(
      'It was asked for from Firefox on Linux, at the address 192.0.2.7, on 21 November 2026 at 18:40 UTC.',
    )
  }
})

test('a code stands on a line of its own, with the place where it is typed in', () => {
  const { text, html } = setLetter(letters.emailCode(facts))
  expect(text).toMatch(/\n012345\n/)
  expect(html).toContain('<p class="code">012345</p>')
  expect(text).toContain(publicUrl)
  expect(text).not.toContain('token=')
})

test.each([
  ['passwordChanged', letters.passwordChanged, 'on 21 November 2026 at 18:40 UTC'],
  ['accountLocked', letters.accountLocked, 'until 21 November 2026 at 18:55 UTC'],
  ['unfamiliarSignIn', letters.unfamiliarSignIn, 'from Firefox on Linux, at the address 192.0.2.7'],
] as const)('%s says what happened, without a token', (_name, write, what) => {
  const { text } = setLetter(write(facts))
  expect(text).toContain(what)
  expect(text).not.toContain('token=')
})

test.each(all)('%s ends each sentence with one full stop, after Acme Inc. too', (_name, write) => {
  const short = {
    ...facts,
    invitation: { role: 'viewer', project: undefined, invitedBy: undefined },
  }
  for (const from of [facts, short]) {
    const letter = write(from)
    const said = [...letter.paragraphs, ...letter.notes, letter.reason]
    expect(said.filter((text) => text.includes('..') || !/[.:]$/.test(text))).toEqual([])
  }
})

test.each(all)('%s says to whom it is and why, and in which organization', (name, write) => {
  const { text, html, subject } = setLetter(write(facts))
  expect(text).toContain('This mail was sent to ann@acme.example because')
  if (name !== 'registration') expect(text).toContain('Acme Inc.')
  expect(subject).not.toBe('')
  expect(html).toContain(`<title>${subject.replaceAll("'", '&#39;')}</title>`)
})

test.each(all)('%s loads nothing from elsewhere, and runs nothing', (_name, write) => {
  const { html } = setLetter(write(facts))
  expect(html).not.toMatch(
    /<(img|script|link|iframe|object|form)|url\(|@import|https?:\/\/(?!id\.acme)/i,
  )
})

test.each(all)('%s has the same to say in both forms', (_name, write) => {
  const letter = write(facts)
  const { text, html } = setLetter(letter)
  for (const part of [...letter.paragraphs, ...letter.notes, letter.reason]) {
    expect(text).toContain(part)
    expect(html).toContain(part.replaceAll('&', '&amp;').replaceAll("'", '&#39;'))
  }
})

test.each(all)('%s is whole when nothing is known of the request', (_name, write) => {
  const bare = { ...facts, request: {}, ends: undefined, invitation: undefined }
  const { text } = setLetter(write(bare))
  expect(text).not.toMatch(/undefined|null|NaN| {2}|\s[,.]/)
})

const hostile = `<script>alert(1)</script> "'& \r\nBcc: eve@evil.example https://evil.example/?a=b`

test.each(all)('%s escapes what others chose, and makes no link of it', (_name, write) => {
  const { subject, html, text } = setLetter(
    write({
      ...facts,
      organization: { name: 'acme', displayName: hostile },
      request: { ...facts.request, device: hostile },
      recipient: 'ann+www.evil.example/x@acme.example',
      invitation: {
        role: 'developer',
        project: hostile,
        invitedBy: 'www.evil.example/x@acme.example',
      },
    }),
  )
  expect(html).not.toContain('<script')
  expect(subject).not.toMatch(/\p{Cc}/u)
  for (const part of [html, text]) {
    if (part === html) expect(part.replace(/<title>.*<\/title>/, '')).not.toContain('evil.example')
    else expect(part).not.toContain('evil.example')
  }
})

test('whoever registers chooses nothing of the mail but the organization’s name', () => {
  const chosen = { ...facts, organization: { name: 'acme', displayName: 'Chosen freely' } }
  expect(JSON.stringify(letters.registration(chosen))).not.toContain('Chosen freely')
})

test('a moment is told in UTC', () => {
  expect(momentInWords(new Date('2026-03-29T01:30:00+02:00'))).toBe('28 March 2026 at 23:30 UTC')
})

test.each([
  ['Acme Inc.', 'Acme Inc.'],
  ['a\r\n\tb', 'a b'],
  ['right\u202Eleft', 'right left'],
  ['  spaces   between ', 'spaces between'],
])('%j is one line', (text, line) => {
  expect(oneLine(text)).toBe(line)
})

test('a name keeps its look and loses its links', () => {
  expect(nameInWords('Acme Inc. & Söhne')).toBe('Acme Inc. & Söhne')
  expect(nameInWords('www.evil.example/x')).toBe('www.\u200Cevil.\u200Cexample/\u200Cx')
})
