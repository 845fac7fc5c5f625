-- The same decisions as cheaply as Lua can make them: hash lookups, and each scope decoded once. HAProxy itself
-- finds the service and the scope's text, which takes less than having Lua ask it for them.

local json = require("json")
local services = require("services")

local LOCAL = services.locally
local LIMIT = 10000

local backends = {} -- service -> cloud -> the backend's name
for _, service in ipairs(services.list) do
  if service.interface == "public" then
    backends[service.type] = backends[service.type] or {}
    backends[service.type][service.cloud] = service.cloud .. "_" .. service.type .. "_public"
  end
end

local scopes, count = {}, 0 -- by their text

local function scope_of(text)
  local scope = scopes[text]
  if not scope then
    if count >= LIMIT then
      scopes, count = {}, 0
    end
    scope, count = json.decode(text), count + 1
    scopes[text] = scope
  end
  return scope
end

-- From `<service>|<scope>` to the backend's name.
core.register_converters("interpret_scope", function(asked)
  local mark = asked:find("|", 1, true)
  local service = asked:sub(1, mark - 1)
  local cloud = LOCAL
  if mark < #asked then
    cloud = scope_of(asked:sub(mark + 1))[service] or LOCAL
  end
  local known = backends[service]
  return known and known[cloud] or "unknown"
end)
