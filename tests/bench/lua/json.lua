-- JSON to Lua's values and back, in Lua alone, as the prototype had it.

local json = {}

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
local written = { ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
                  ['"'] = '\\"', ["\\"] = "\\\\" }

local value

local function fail(text, at, what)
  error(string.format("JSON, character %d: %s", at, what))
end

-- The first character at or after `at` that is no blank.
local function skip(text, at)
  while at <= #text do
    local character = text:sub(at, at)
    if character ~= " " and character ~= "\t" and character ~= "\n" and character ~= "\r" then
      return at
    end
    at = at + 1
  end
  return at
end

local function text_of(text, at)
  local parts = {}
  local from = at + 1
  local place = from
  while place <= #text do
    local character = text:sub(place, place)
    if character == '"' then
      parts[#parts + 1] = text:sub(from, place - 1)
      return table.concat(parts), place + 1
    elseif character == "\\" then
      parts[#parts + 1] = text:sub(from, place - 1)
      local kind = text:sub(place + 1, place + 1)
      if kind == "u" then
        parts[#parts + 1] = utf8.char(tonumber(text:sub(place + 2, place + 5), 16))
        place = place + 6
      else
        parts[#parts + 1] = escapes[kind] or fail(text, place, "no escape")
        place = place + 2
      end
      from = place
    else
      place = place + 1
    end
  end
  fail(text, at, "a string without an end")
end

local function object(text, at)
  local found = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then
    return found, at + 1
  end
  while true do
    local key, member
    if text:sub(at, at) ~= '"' then
      fail(text, at, "a key is wanted")
    end
    key, at = text_of(text, at)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then
      fail(text, at, "a colon is wanted")
    end
    member, at = value(text, skip(text, at + 1))
    found[key] = member
    at = skip(text, at)
    local mark = text:sub(at, at)
    if mark == "}" then
      return found, at + 1
    elseif mark ~= "," then
      fail(text, at, "a comma is wanted")
    end
    at = skip(text, at + 1)
  end
end

local function array(text, at)
  local found = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then
    return found, at + 1
  end
  while true do
    found[#found + 1], at = value(text, at)
    at = skip(text, at)
    local mark = text:sub(at, at)
    if mark == "]" then
      return found, at + 1
    elseif mark ~= "," then
      fail(text, at, "a comma is wanted")
    end
    at = skip(text, at + 1)
  end
end

local words = { ["true"] = true, ["false"] = false }

function value(text, at)
  local character = text:sub(at, at)
  if character == "{" then
    return object(text, at)
  elseif character == "[" then
    return array(text, at)
  elseif character == '"' then
    return text_of(text, at)
  end
  local word = text:match("^[%w.+-]+", at)
  if word == "null" then
    return nil, at + 4
  elseif word and words[word] ~= nil then
    return words[word], at + #word
  end
  local number = word and tonumber(word)
  if not number then
    fail(text, at, "a value is wanted")
  end
  return number, at + #word
end

function json.decode(text)
  local found, at = value(text, skip(text, 1))
  if skip(text, at) <= #text then
    fail(text, at, "the end is wanted")
  end
  return found
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(character)
    return written[character] or string.format("\\u%04x", character:byte())
  end) .. '"'
end

function json.encode(given)
  if type(given) == "table" then
    local parts = {}
    if #given > 0 then
      for _, member in ipairs(given) do
        parts[#parts + 1] = json.encode(member)
      end
      return "[" .. table.concat(parts, ",") .. "]"
    end
    local names, members = {}, {}
    for key, member in pairs(given) do
      local name = tostring(key)
      names[#names + 1], members[name] = name, member
    end
    table.sort(names)
    for _, name in ipairs(names) do
      parts[#parts + 1] = quoted(name) .. ":" .. json.encode(members[name])
    end
    return "{" .. table.concat(parts, ",") .. "}"
  elseif type(given) == "string" then
    return quoted(given)
  end
  return tostring(given)
end

return json
