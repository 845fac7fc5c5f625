-- The way of the prototype: each request has its scope decoded, its service looked for, its scope encoded.

local json = require("json")
local services = require("services")

local LOCAL = services.locally

-- The service whose URL this request's begins with: the first hit, one after the other.
local function service_of(url)
  for _, service in ipairs(services.list) do
    if url:sub(1, #service.url) == service.url then
      return service
    end
  end
end

-- A service of a cloud, one after the other.
local function of_cloud(cloud, service_type)
  for _, service in ipairs(services.list) do
    if service.cloud == cloud and service.type == service_type and service.interface == "public" then
      return service
    end
  end
end

-- Everything is local but for what the request says: in X-Scope, or else behind the token's mark.
local function scope_of(headers)
  local scope = { compute = LOCAL, identity = LOCAL, image = LOCAL, network = LOCAL, placement = LOCAL,
                  ["block-storage"] = LOCAL }
  local said = headers["x-scope"] and headers["x-scope"][0]
  if not said and headers["x-auth-token"] then
    local token = headers["x-auth-token"][0]
    local mark = token:find("!", 1, true)
    said = mark and token:sub(mark + 1)
  end
  if said then
    for service_type, cloud in pairs(json.decode(said)) do
      scope[service_type] = cloud
    end
  end
  return scope
end

local function clean(txn, name)
  local field = txn.http:req_get_headers()[name]
  if field then
    local mark = field[0]:find("!", 1, true)
    if mark then
      txn.http:req_set_header(name, field[0]:sub(1, mark - 1))
    end
  end
end

-- It told its log of every step, each value written out whole.
local function say(what, value)
  core.log(core.info, what .. ": " .. json.encode(value))
end

core.register_fetches("interpret_scope", function(txn)
  local url = txn.sf:base()
  local headers = txn.http:req_get_headers()
  local service = service_of(url)
  if not service then
    return "unknown"
  end
  local scope = scope_of(headers)
  local cloud = scope[service.type]
  clean(txn, "x-auth-token")
  clean(txn, "x-subject-token")
  txn.http:req_del_header("x-scope")
  -- What the services of the cloud hear of it: whose identity.
  local identity = of_cloud(scope.identity, "identity")
  txn.http:req_set_header("x-identity-cloud", identity.cloud)
  txn.http:req_set_header("x-identity-url", "http://" .. identity.url)
  local backend = cloud .. "_" .. service.type .. "_" .. service.interface
  say("request", url)
  say("service", service)
  say("given", headers["x-scope"] or headers["x-auth-token"])
  say("scope", scope)
  say("cloud", cloud)
  say("backend", backend)
  return backend
end)
