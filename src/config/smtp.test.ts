import { expect, test } from 'vitest'
import { sender, smtpServer } from './smtp.ts'

const none = { login: undefined }

test.each([
  ['smtps://smtp.example.com', { host: 'smtp.example.com', port: 465, tls: 'implicit', ...none }],
  ['smtp://smtp.example.com', { host: 'smtp.example.com', port: 587, tls: 'starttls', ...none }],
  ['smtp://smtp.example.com:25/', { host: 'smtp.example.com', port: 25, tls: 'starttls', ...none }],
  ['smtp://relay:25?tls=off', { host: 'relay', port: 25, tls: 'off', ...none }],
  ['smtp://127.0.0.1:2525', { host: '127.0.0.1', port: 2525, tls: 'off', ...none }],
  ['smtp://localhost:2525', { host: 'localhost', port: 2525, tls: 'off', ...none }],
  ['smtps://[::1]:465', { host: '::1', port: 465, tls: 'implicit', ...none }],
  [
    'smtps://apikey:p%40ss%3Aword@smtp.example.com',
    {
      host: 'smtp.example.com',
      port: 465,
      tls: 'implicit',
      login: { user: 'apikey', password: 'p@ss:word' },
    },
  ],
])('%s is a server', (text, server) => {
  expect(smtpServer().parse(text)).toEqual(server)
})

test.each([
  '',
  'smtp.example.com',
  'https://smtp.example.com',
  'smtp://',
  'smtp://smtp.example.com/path',
  'smtp://smtp.example.com#fragment',
  'smtp://smtp.example.com?tls=maybe',
  'smtp://smtp.example.com?tls=off&x=y',
  'smtps://smtp.example.com?tls=off',
  'smtp://user@smtp.example.com',
  'smtp://user:%zz@smtp.example.com',
  'smtp://smtp.example.com:99999',
  'smtp://smtp.example.com\nX',
])('%j is none, and the message does not repeat it', (text) => {
  const { error } = smtpServer().safeParse(text)
  expect(error?.issues[0]?.message).toMatch(/^must be a URL such as smtps:\/\/user:password@/)
})

test.each([
  ['no-reply@example.com', { name: '', address: 'no-reply@example.com' }],
  ['Example <no-reply@example.com>', { name: 'Example', address: 'no-reply@example.com' }],
  ['Müller & Söhne <a@b.example>', { name: 'Müller & Söhne', address: 'a@b.example' }],
])('%s is a sender', (text, from) => {
  expect(sender().parse(text)).toEqual(from)
})

test.each([
  'Example',
  'no-reply@',
  '@example.com',
  'a@b.example, c@d.example',
  '<a@b.example>',
  'Example <a@b.example> and more',
  'Example <a@b.example\r\nBcc: c@d.example>',
  'Exam\nple <a@b.example>',
])('%j is none', (text) => {
  expect(sender().safeParse(text).success).toBe(false)
})
