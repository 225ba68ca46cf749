-- KEYS: the row. ARGV: twelve words as below; all names of all fields that follow, after their count; the fields that the
-- request has written, after theirs; then those that it found absent. A field is: how many of the names are its own; for a
-- written one, what must still be stored; its mark and new value, or nothing where it is removed.
--
-- Where something may be absent, '=' and a value is the value, '-' is none, and the empty text says that it does not matter,
-- or stays as it is. The identity may also be '~': the same again.
local key = KEYS[1]
local epoch, idle, absolute, extent, limit, keeps, change, new, current, next_epoch, identity, cookie = unpack(ARGV, 1, 12)
local clears, names, first_name = keeps ~= '=+*', tonumber(ARGV[13]), 14

-- How much the fields take, and which of them are cleared.
local gone, size_before = {}, 0
local function size(name, value)
  return 7 + #name - 2 + #value - 1
end

-- All of the row where fields are cleared, else the fields that are named.
local row, stored, problem, values
if clears or names > 1000 then
  stored = redis.pcall('HGETALL', key)
  if stored.err then
    return unreadable(stored)
  end
  row = {}
  for place = 1, #stored, 2 do
    local name, value = stored[place], stored[place + 1]
    row[name] = value
    if name:sub(1, 2) == 'f:' then
      size_before = size_before + size(name, value)
      gone[name] = not keeps:find(value:sub(1, 1), 1, true) or nil
      problem = problem or not value:find('^[=+*]') and 'corrupt'
    end
  end
  problem = #stored == 0 and 'missing' or not is_readable(row) and 'corrupt' or problem
else
  row, problem, values = head(key, unpack(ARGV, first_name, first_name + names - 1))
  for place = 1, row and names or 0 do
    local value = values[10 + place]
    row[ARGV[first_name + place - 1]] = value
    problem = problem or value and not value:find('^[=+*]') and 'corrupt'
  end
  size_before = row and tonumber(row.n)
end
problem = problem or refusal(row, epoch)
if problem then
  return problem
end

local function conflict()
  return { 'conflict', text(now), stored or redis.call('HGETALL', key) }
end

-- The names of the next field, and what is stored under the first of them that stays.
local place, name = first_name + names, first_name
local function field()
  local first, last, found = name, name + ARGV[place] - 1, nil
  for at = first, last do
    found = found or not gone[ARGV[at]] and row[ARGV[at]] or nil
  end
  name, place = last + 1, place + 1
  return first, last, found
end

local set, replaced = {}, {}
local written_fields = tonumber(ARGV[place])
place = place + 1
for _ = 1, written_fields do
  local first, last, found = field()
  local base, value = ARGV[place], ARGV[place + 1]
  place = place + 2
  -- What is cleared is nothing to join with.
  if base ~= '' and not (clears and not found) and (found and '=' .. found:sub(2) or '-') ~= base then
    return conflict()
  end
  for at = first, last do
    replaced[#replaced + 1] = ARGV[at]
  end
  if value ~= '' then
    set[ARGV[first]] = value
  end
end
while place <= #ARGV do
  local first, _, found = field()
  if not found and ARGV[place] ~= '' then
    set[ARGV[first]] = ARGV[place]
  end
  place = place + 1
end
for _, replaced_name in ipairs(replaced) do
  gone[replaced_name] = true
end

-- What is written, and what is removed.
local written, removed, size_after = {}, {}, size_before
local function put(what, value)
  written[#written + 1] = what
  written[#written + 1] = value
end
local function remove(what)
  removed[#removed + 1] = row[what] and what or nil
end
for what in pairs(gone) do
  if row[what] then
    size_after = size_after - size(what, row[what])
    if not set[what] then
      remove(what)
    end
  end
end
for what, value in pairs(set) do
  size_after = size_after + size(what, value)
  if row[what] ~= value then
    put(what, value)
  end
end
if limit ~= '0' and size_after > tonumber(limit) and size_after > size_before then
  return conflict()
end
put('n', text(math.max(size_after, 0)))

-- The verifier, and the identity.
local renewed = change ~= 'renew' or row.v == current
if change == 'rotate' then
  put('e', next_epoch)
  put('v', new)
  put('r', text(now))
  remove('p')
elseif change == 'renew' and renewed then
  put('v', new)
  put('p', current)
  put('r', text(now))
end
if identity ~= '' then
  row.a = text(now)
  put('a', row.a)
  if identity == '-' then
    removed[#removed + 1] = 'u'
  elseif identity ~= '~' then
    put('u', identity:sub(2))
  end
  if identity ~= '~' then
    put('g', change == 'rotate' and next_epoch or row.e)
  end
end
if cookie == '-' then
  removed[#removed + 1] = 'k'
elseif cookie ~= '' then
  put('k', cookie:sub(2))
end

local ends = extended(row, idle, absolute, extent)
put('x', ends)
if idle ~= '0' then
  put('t', text(now))
end
write(key, ends, written, removed, size_after > size_before or identity:sub(1, 1) == '=')
return renewed and 'applied' or 'unrenewed'
