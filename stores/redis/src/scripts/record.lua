-- Shared by the scripts on one record, and put before each of them.
--
-- The contract of one record is written three times, and a change belongs in all three: as pure functions in Rust (`Entry` in
-- http-session-store, which `conformance` checks every store against), here in Lua, and in SQL (http-session-postgres,
-- src/update.rs).
--
-- Each script uses exactly one key, KEYS[1]. A cluster refuses a script whose keys are in different slots, and while a slot is
-- being moved it refuses two keys of the same slot too.
--
-- The time is the server's. A client's clock may be wrong, and then sessions would end too early or live too long.
--
-- Lua is exact for whole numbers up to 2^53. Times are far below that. Epochs have 64 bits, so they stay text.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Without an exponent, which Lua would use for large numbers.
local function text(number)
  return string.format('%.0f', number)
end

-- Whether all required fields are there and have a valid form. Must judge as `parse` in record.rs does: what the client cannot
-- read, a script must not overwrite. One pattern over the joined numbers is faster than a pattern for each number.
local function is_readable(record)
  local e, g, c, a, r = record.e, record.g, record.c, record.a, record.r
  local t, x, n, v, p = record.t, record.x, record.n, record.v, record.p
  if not (e and g and c and a and r and t and x and n and v) then
    return false
  end
  local numbers = ' ' .. e .. ' ' .. g .. ' ' .. c .. ' ' .. a .. ' ' .. r .. ' ' .. t .. ' ' .. x .. ' ' .. n
  return #e <= 20 and #g <= 20 and #c <= 15 and #a <= 15 and #r <= 15 and #t <= 15 and #x <= 15 and #n <= 15
    and numbers:find('^ %d+ %d+ %d+ %d+ %d+ %d+ %d+ %d+$') and not numbers:find(' 0%d')
    and (#e < 20 or e <= '18446744073709551615') and (#g < 20 or g <= '18446744073709551615')
    and (#v == 32 or v == '') and (not p or #p == 32)
end

-- A key of another type is a record that cannot be read. Any other error says nothing about the record, and is passed on.
local function unreadable(problem)
  return problem.err:find('WRONGTYPE', 1, true) and 'corrupt' or problem
end

-- Reads the record without its fields, and the values of the further names. Otherwise answers why there is no record.
local function head(key, ...)
  local values = redis.pcall('HMGET', key, 'e', 'g', 'c', 'a', 'r', 't', 'x', 'n', 'v', 'p', ...)
  if values.err then
    return nil, unreadable(values)
  end
  local e, g, c, a, r, t, x, n, v, p = unpack(values, 1, 10)
  local record = { e = e, g = g, c = c, a = a, r = r, t = t, x = x, n = n, v = v, p = p }
  if is_readable(record) then
    return record, nil, values
  end
  return nil, redis.call('EXISTS', key) == 1 and 'corrupt' or 'missing'
end

-- Why a write that was computed for this epoch must not happen, if so (R4, R8). A record that has expired may still be there.
local function refusal(record, epoch)
  if record.x - now <= 0 then
    return 'missing'
  end
  if record.v == '' or record.e ~= epoch then
    return 'superseded'
  end
end

-- When the record ends after a write with this lifetime (R7).
local function extended(record, idle, absolute, extent)
  local wanted = tonumber(idle)
  if extent == 'extend' then
    wanted = math.max(wanted, record.x - now)
  end
  local age = math.max(now - record.a, 0)
  return text(now + math.min(wanted, math.max(absolute - age, 0)))
end

-- In parts, because Lua's stack limits the arguments of one call. Each part has an even number of arguments for HSET.
local function in_parts(command, key, arguments)
  for first = 1, #arguments, 1000 do
    redis.call(command, key, unpack(arguments, first, math.min(first + 999, #arguments)))
  end
end

-- Writes the record. The order matters to a server that is out of memory: it refuses a script at its first command that may
-- need memory, unless the script has already written. So a record that grows begins with HSET, and then either all or nothing
-- is written. A record that does not grow begins with PEXPIREAT, which needs no memory, and is written in any case (R14).
local function write(key, ends, written, removed, grows)
  if tonumber(ends) <= now then
    redis.call('UNLINK', key)
    return
  end
  if not grows then
    redis.call('PEXPIREAT', key, ends)
  end
  in_parts('HSET', key, written)
  in_parts('HDEL', key, removed)
  if grows then
    redis.call('PEXPIREAT', key, ends)
  end
end
