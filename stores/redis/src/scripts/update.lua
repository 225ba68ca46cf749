-- Applies a patch, or nothing of it. record.lua says where else this contract is written.
--
-- KEYS: the record. ARGV, as `update` in record.rs sends them:
--   1. twelve words, named below;
--   2. the number of names of all fields that follow, then these names;
--   3. the number of fields that the request has written, then for each field: how many of the names are its own (its name and
--      its aliases), the value that must still be stored, and its mark and new value (the empty text removes the field);
--   4. for each field that the request found absent: how many of the names are its own, and its mark and value.
--
-- A value that may be absent is '=' and the value, or '-' where it is absent. The empty text means that it does not matter, or
-- that it stays as it is. The identity may also be '~': the same identity, affirmed.
--
-- 'conflict' comes with the time and the whole record. The middleware merges with that record and writes again, and so needs no
-- load in between. This script never merges: merge functions are written in Rust.
local key = KEYS[1]
local epoch, idle, absolute, extent, limit, keeps, change, new, current, next_epoch, identity, cookie = unpack(ARGV, 1, 12)
local clears, names, first_name = keeps ~= '=+*', tonumber(ARGV[13]), 14

-- The names of the fields that are cleared or replaced, and the size of all fields.
local gone, size_before = {}, 0

-- The size of a field as `Fields` in Rust counts it: seven bytes, the name without 'f:', and the value without its mark. The
-- record's `n` is the sum, so an update can check the limit without reading all fields.
local function size(name, value)
  return 7 + #name - 2 + #value - 1
end

-- HGETALL costs as much as the record is large. It is only used if fields are cleared, because then fields that the patch does
-- not name count too, or if there are more names than fit on Lua's stack.
local record, stored, problem, values
if clears or names > 1000 then
  stored = redis.pcall('HGETALL', key)
  if stored.err then
    return unreadable(stored)
  end
  record = {}
  for at = 1, #stored, 2 do
    local name, value = stored[at], stored[at + 1]
    record[name] = value
    if name:sub(1, 2) == 'f:' then
      size_before = size_before + size(name, value)
      gone[name] = not keeps:find(value:sub(1, 1), 1, true) or nil
      problem = problem or not value:find('^[=+*]') and 'corrupt'
    end
  end
  problem = #stored == 0 and 'missing' or not is_readable(record) and 'corrupt' or problem
else
  record, problem, values = head(key, unpack(ARGV, first_name, first_name + names - 1))
  for at = 1, record and names or 0 do
    local value = values[10 + at]
    record[ARGV[first_name + at - 1]] = value
    problem = problem or value and not value:find('^[=+*]') and 'corrupt'
  end
  size_before = record and tonumber(record.n)
end
problem = problem or refusal(record, epoch)
if problem then
  return problem
end

local function conflict()
  return { 'conflict', text(now), stored or redis.call('HGETALL', key) }
end

-- The range of the next field's names, and the value under the first name that is stored and not cleared.
local argument, name = first_name + names, first_name
local function field()
  local first, last, found = name, name + ARGV[argument] - 1, nil
  for at = first, last do
    found = found or not gone[ARGV[at]] and record[ARGV[at]] or nil
  end
  name, argument = last + 1, argument + 1
  return first, last, found
end

local set, replaced = {}, {}
local written_fields = tonumber(ARGV[argument])
argument = argument + 1
for _ = 1, written_fields do
  local first, last, found = field()
  local base, value = ARGV[argument], ARGV[argument + 1]
  argument = argument + 2
  -- Only the value is compared, not the mark. A field that this update clears cannot conflict.
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
-- A default for an absent field is only written if the field is still absent.
while argument <= #ARGV do
  local first, _, found = field()
  if not found and ARGV[argument] ~= '' then
    set[ARGV[first]] = ARGV[argument]
  end
  argument = argument + 1
end
-- Only now, because `field` must still find the old values.
for _, replaced_name in ipairs(replaced) do
  gone[replaced_name] = true
end

-- The arguments of HSET and HDEL.
local written, removed, size_after = {}, {}, size_before
local function put(what, value)
  written[#written + 1] = what
  written[#written + 1] = value
end
local function remove(what)
  removed[#removed + 1] = record[what] and what or nil
end
for what in pairs(gone) do
  if record[what] then
    size_after = size_after - size(what, record[what])
    if not set[what] then
      remove(what)
    end
  end
end
for what, value in pairs(set) do
  size_after = size_after + size(what, value)
  if record[what] ~= value then
    put(what, value)
  end
end
-- The client has checked the size against the record that it loaded. If another request has added fields since, the client has
-- to decide again. A patch that does not add to the size is always written.
if limit ~= '0' and size_after > tonumber(limit) and size_after > size_before then
  return conflict()
end
put('n', text(math.max(size_after, 0)))

-- A renewal does not happen if another request has renewed the verifier meanwhile. The rest of the patch still happens.
local renewed = change ~= 'renew' or record.v == current
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
  record.a = text(now)
  put('a', record.a)
  if identity == '-' then
    removed[#removed + 1] = 'u'
  elseif identity ~= '~' then
    put('u', identity:sub(2))
  end
  if identity ~= '~' then
    put('g', change == 'rotate' and next_epoch or record.e)
  end
end
if cookie == '-' then
  removed[#removed + 1] = 'k'
elseif cookie ~= '' then
  put('k', cookie:sub(2))
end

local ends = extended(record, idle, absolute, extent)
put('x', ends)
if idle ~= '0' then
  put('t', text(now))
end
-- A new identity counts as growth: it may be longer than the old one.
write(key, ends, written, removed, size_after > size_before or identity:sub(1, 1) == '=')
return renewed and 'applied' or 'unrenewed'
