import { theirOrganization } from '../../db/organization.ts'
import { readOrganization } from '../../db/transaction.ts'
import { canonicalEmail } from '../../domain/email.ts'
import { signInRules } from '../../domain/signinrules.ts'
import type { OrganizationHint, SignIn } from '../people.ts'
import { EmailCodeSignIn } from './emailcode.ts'
import { nowhere, organizationMeant } from './organizations.ts'
import { PasswordSignIn, type PasswordSignInOptions } from './password.ts'

/** The ways to sign in. */
export class SignInService implements SignIn {
  readonly #options: PasswordSignInOptions
  readonly #password: PasswordSignIn
  readonly #code: EmailCodeSignIn

  constructor(options: PasswordSignInOptions) {
    this.#options = options
    this.#password = new PasswordSignIn(options)
    this.#code = new EmailCodeSignIn(options)
  }

  async methods(hint: OrganizationHint, email: string | undefined): Promise<readonly string[]> {
    const { pool, organizations, organizationHosts } = this.#options
    const address = email === undefined ? undefined : canonicalEmail(email)
    const { id } = organizationMeant(hint, address, organizations, organizationHosts) ?? nowhere
    const [organization] = await readOrganization(pool, id, [theirOrganization])
    return signInRules(organization?.settings ?? {}).methods
  }

  withPassword(request: Parameters<SignIn['withPassword']>[0]): ReturnType<SignIn['withPassword']> {
    return this.#password.signIn(request)
  }

  requestCode(request: Parameters<SignIn['requestCode']>[0]): ReturnType<SignIn['requestCode']> {
    return this.#code.request(request)
  }

  withCode(request: Parameters<SignIn['withCode']>[0]): ReturnType<SignIn['withCode']> {
    return this.#code.verify(request)
  }
}
