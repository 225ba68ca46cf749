-- KEYS: the record. ARGV: its time left, then names and values of everything that does not depend on the time.
local key = KEYS[1]
-- Any key counts, even one that is not a record: an insert never overwrites.
if redis.call('EXISTS', key) == 1 then
  return 'taken'
end
local ends, moment = text(now + ARGV[1]), text(now)
local record = { 'c', moment, 'a', moment, 'r', moment, 't', moment, 'x', ends }
for at = 2, #ARGV do
  record[#record + 1] = ARGV[at]
end
write(key, ends, record, {}, true)
return 'inserted'
