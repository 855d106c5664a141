import { beforeEach, describe, expect, it } from 'vitest'
import { FormBrowser, leadsTo } from '../../../../test/support/formbrowser.ts'
import { createPages, type PagesSetting, rightPassword } from '../../../../test/support/pages.ts'

let setting: PagesSetting
let browser: FormBrowser
const email = 'ada@acme.example'

beforeEach(async () => {
  const pages = await createPages()
  setting = pages.setting
  setting.signedIn = true
  browser = new FormBrowser(pages.app)
})

describe('the account', () => {
  it.each(['/account', '/account/sessions', '/account/password'])(
    '%s sends whoever is not signed in to sign in, whatever they send',
    async (path) => {
      setting.signedIn = false
      expect(await browser.get(path)).toMatchObject(leadsTo('/login'))
      expect(await browser.post(path, { name: 'x' })).toMatchObject(leadsTo('/login'))
      expect(setting.asked).toEqual([])
    },
  )

  it('shows the name of the organization, and marks the session that asks', async () => {
    const { body } = await browser.get('/account/sessions')
    expect(body).toContain('<title>Sessions – Acme Inc.</title>')
    expect(body.match(/This one/g)).toHaveLength(1)
    expect(body).toContain('25 minutes ago')
  })

  it.each([
    [{ session: 'session-2' }, ['revoke', 'session-2'], '/account/sessions'],
    [{ end: 'others' }, ['revokeAll', 'current'], '/account/sessions'],
    [{ end: 'all' }, ['revokeAll', 'none'], '/login'],
  ])('ends sessions: %o', async (form, asked, next) => {
    browser.cookies.set('__Host-cardea_session', 'x')
    expect(await browser.post('/account/sessions', form)).toMatchObject(leadsTo(next))
    expect(setting.asked).toEqual([asked])
    expect(browser.cookies.has('__Host-cardea_session')).toBe(next !== '/login')
  })

  it('gives the session another cookie when the password was changed', async () => {
    const form = { email, current: rightPassword, password: 'another long one here' }
    expect(await browser.post('/account/password', form)).toMatchObject(
      leadsTo('/account/password'),
    )
    expect(browser.cookies.get('__Host-cardea_session')).toBe('session_renewed')
    expect((await browser.get('/account/password')).body).toContain('all your other sessions ended')
  })

  it('says beside its field that the current password is another one', async () => {
    setting.refusal = { refused: 'password_wrong' }
    const answer = await browser.post('/account/password', { current: 'x', password: 'y' })
    expect(answer.body).toContain('<a href="#current">This is not your current password.</a>')
  })

  it('signs out by a form alone', async () => {
    browser.cookies.set('__Host-cardea_session', 'x')
    expect((await browser.get('/logout')).statusCode).toBe(404)
    expect(await browser.post('/logout', {})).toMatchObject(leadsTo('/login'))
    expect(browser.cookies.has('__Host-cardea_session')).toBe(false)
  })

  it('shows names as they are, and never as markup', async () => {
    const name = '<script>alert(1)</script>'
    setting.refusal = { refused: 'invalid_request' }
    const { body } = await browser.post('/account', { name })
    expect(body).toContain('value="&lt;script&gt;alert(1)&lt;/script&gt;"')
    expect(body).not.toContain('<script')
  })
})

describe('the members', () => {
  it('are shown with their roles, and with the buttons of what one may do', async () => {
    const { body } = await browser.get('/admin/members')
    expect(body).toContain('Charles Babbage')
    expect(body).toContain('developer on scanner')
    expect(body.match(/>Change</g)).toHaveLength(2)
    setting.permissions = ['members:read']
    const { body: seen } = await browser.get('/admin/members')
    expect(seen).toContain('Charles Babbage')
    expect(seen).not.toMatch(/>Change<|>Withdraw<|Invite somebody/)
  })

  it('are neither shown nor mentioned to whoever may not see them', async () => {
    setting.permissions = []
    expect((await browser.get('/account')).body).not.toContain('/admin/members')
    expect((await browser.get('/admin/members')).statusCode).toBe(403)
  })

  it.each([
    [{ member: 'user-2', act: 'suspend' }, ['setSuspended', 'user-2', true]],
    [{ member: 'user-2', act: 'resume' }, ['setSuspended', 'user-2', false]],
    [{ member: 'user-2', act: 'sign-out' }, ['endSessionsOf', 'user-2']],
    [{ member: 'user-2', act: 'remove' }, ['remove', 'user-2']],
  ])('are changed by a button: %o', async (form, asked) => {
    expect(await browser.post('/admin/members', form)).toMatchObject(leadsTo('/admin/members'))
    expect(setting.asked).toEqual([asked])
  })

  it('are not changed by what is no button', async () => {
    const form = { member: 'user-2', act: 'constructor' }
    expect((await browser.post('/admin/members', form)).statusCode).toBe(400)
  })

  it('tell why the last owner stays', async () => {
    setting.refusal = { refused: 'last_owner' }
    const { body, statusCode } = await browser.post('/admin/members', {
      member: 'user-2',
      act: 'remove',
    })
    expect(statusCode).toBe(422)
    expect(body).toContain('The organization would be without an owner.')
  })

  it('invite others, to a project where one is named', async () => {
    const form = { email: 'New@Acme.Example', role: 'developer', project: '' }
    expect(await browser.post('/admin/members/invite', form)).toMatchObject(
      leadsTo('/admin/members'),
    )
    await browser.post('/admin/members/invite', { ...form, project: 'scanner' })
    expect(setting.asked).toEqual([
      ['invite', { email: 'new@acme.example', role: 'developer' }],
      ['invite', { email: 'new@acme.example', role: 'developer', project: 'scanner' }],
    ])
  })

  it('say what is wrong with an invitation, beside its field', async () => {
    setting.refusal = { refused: 'role_not_found' }
    const form = { email: 'new@acme.example', role: 'king', project: '' }
    const { body } = await browser.post('/admin/members/invite', form)
    expect(body).toContain('<a href="#role">There is no such role.</a>')
    expect(body).toContain('value="king"')
    const empty = await browser.post('/admin/members/invite', { ...form, email: '' })
    expect(empty.body).toContain('<a href="#email">Enter the email address.</a>')
  })
})
