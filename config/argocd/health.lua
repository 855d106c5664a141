-- The health of every kind of cardea.dev, for Argo CD. It agrees with kstatus (test/chart/health.test.ts holds it to that)
-- and adds Suspended, for which kstatus has no word. Lua 5.1 without the string library: that is all Argo CD gives it.

local function condition(type)
  local conditions = obj.status ~= nil and obj.status.conditions or {}
  for _, c in ipairs(conditions) do
    if c.type == type and c.status == "True" then
      return c
    end
  end
end

local function health(status, message)
  return { status = status, message = message }
end

-- Degraded would fail the sync that waits for the deletion; DeletionBlocked only says what it waits for.
if obj.metadata.deletionTimestamp ~= nil then
  local blocked = condition("DeletionBlocked")
  return health("Progressing", blocked and blocked.message or "Being deleted")
end

if obj.spec ~= nil and obj.spec.suspend == true then
  return health("Suspended", "spec.suspend is true: what is live stays as it is")
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "The operator has not dealt with this generation yet")
end

-- Waiting for something else is Reconciling, and Progressing here: Degraded fails a sync.
local reconciling = condition("Reconciling")
if reconciling then
  return health("Progressing", reconciling.message)
end

local stalled = condition("Stalled")
if stalled then
  return health("Degraded", stalled.message)
end

local ready = condition("Ready")
if ready then
  return health("Healthy", ready.message)
end

return health("Progressing", "Not Ready yet")
