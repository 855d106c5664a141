import { ConfigurationError, type Environment, readEnvironment } from './environment.ts'
import { databaseUrl } from './setting.ts'

/** @throws ConfigurationError naming every variable that is missing or wrong */
export function readMigrateConfig(environment: Environment) {
  const settings = readEnvironment(environment, {
    CARDEA_DATABASE_URL: databaseUrl(),
    CARDEA_ADMIN_DATABASE_URL: databaseUrl().optional(),
    CARDEA_OPERATOR_DATABASE_URL: databaseUrl().optional(),
    CARDEA_AUTH_DATABASE_URL: databaseUrl().optional(),
  })
  const {
    CARDEA_ADMIN_DATABASE_URL: adminUrl,
    CARDEA_OPERATOR_DATABASE_URL: operatorUrl,
    CARDEA_AUTH_DATABASE_URL: authUrl,
  } = settings
  const migrateUrl = settings.CARDEA_DATABASE_URL
  if (adminUrl === undefined) return { migrateUrl, bootstrap: undefined }
  if (operatorUrl === undefined || authUrl === undefined) {
    const problem =
      'must be set where CARDEA_ADMIN_DATABASE_URL is: the roles get their passwords from it'
    const missing = { CARDEA_OPERATOR_DATABASE_URL: operatorUrl, CARDEA_AUTH_DATABASE_URL: authUrl }
    throw new ConfigurationError(
      Object.keys(missing)
        .filter((name) => missing[name as keyof typeof missing] === undefined)
        .map((variable) => ({ variable, problem })),
    )
  }
  return { migrateUrl, bootstrap: { adminUrl, migrateUrl, operatorUrl, authUrl } }
}
