-- What the scripts of a row share. Lua keeps whole numbers exact up to 2^53: moments are far below, epochs stay text.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function text(number)
  return string.format('%.0f', number)
end

-- Whether all is there, and is what it should be: as the client judges it. Epochs have 64 bits.
local function is_readable(row)
  local e, g, c, a, r, t, x, n, v, p = row.e, row.g, row.c, row.a, row.r, row.t, row.x, row.n, row.v, row.p
  return e and g and c and a and r and t and x and n and v
    and #e <= 20 and #g <= 20 and #c <= 15 and #a <= 15 and #r <= 15 and #t <= 15 and #x <= 15 and #n <= 15
    and (e .. ' ' .. g .. ' ' .. c .. ' ' .. a .. ' ' .. r .. ' ' .. t .. ' ' .. x .. ' ' .. n)
      :find('^%d+ %d+ %d+ %d+ %d+ %d+ %d+ %d+$')
    and not (' ' .. e .. ' ' .. g .. ' ' .. c .. ' ' .. a .. ' ' .. r .. ' ' .. t .. ' ' .. x .. ' ' .. n):find(' 0%d')
    and (#e < 20 or e <= '18446744073709551615') and (#g < 20 or g <= '18446744073709551615')
    and (#v == 32 or v == '') and (not p or #p == 32)
end

-- A key of another type is a row that nobody can read; any other error says nothing of the row, and is answered as it is.
local function unreadable(problem)
  return problem.err:find('WRONGTYPE', 1, true) and 'corrupt' or problem
end

-- The row without its fields, and the values of further names; or why there is none.
local function head(key, ...)
  local values = redis.pcall('HMGET', key, 'e', 'g', 'c', 'a', 'r', 't', 'x', 'n', 'v', 'p', ...)
  if values.err then
    return nil, unreadable(values)
  end
  local e, g, c, a, r, t, x, n, v, p = unpack(values, 1, 10)
  local row = { e = e, g = g, c = c, a = a, r = r, t = t, x = x, n = n, v = v, p = p }
  if is_readable(row) then
    return row, nil, values
  end
  return nil, redis.call('EXISTS', key) == 1 and 'corrupt' or 'missing'
end

-- Why a write that was computed for this epoch cannot happen, if so (R4, R8).
local function refusal(row, epoch)
  if row.x - now <= 0 then
    return 'missing'
  end
  if row.v == '' or row.e ~= epoch then
    return 'superseded'
  end
end

-- The moment at which the row ends after a write with this lifetime (R7).
local function extended(row, idle, absolute, extent)
  local wanted = tonumber(idle)
  if extent == 'extend' then
    wanted = math.max(wanted, row.x - now)
  end
  local age = math.max(now - row.a, 0)
  return text(now + math.min(wanted, math.max(absolute - age, 0)))
end

-- Few enough arguments for Lua's stack, and an even number.
local function in_parts(command, key, arguments)
  for first = 1, #arguments, 1000 do
    redis.call(command, key, unpack(arguments, first, math.min(first + 999, #arguments)))
  end
end

-- A server without memory refuses the first write of a script that takes some, and then nothing has happened. One that has
-- begun with a write that takes none may go on: so what does not grow is written all the same.
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
