-- KEYS: the row. ARGV: its epoch; idle and absolute lifetime, extent.
local key, epoch, idle, absolute, extent = KEYS[1], unpack(ARGV)
local row, problem = head(key)
problem = problem or refusal(row, epoch)
if problem then
  return problem
end
local ends = extended(row, idle, absolute, extent)
write(key, ends, { 'x', ends, 't', idle == '0' and row.t or text(now) }, {}, false)
return 'applied'
