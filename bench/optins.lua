-- One opt-in of one number a request; the numbers walk through a million people.
local number = 0

request = function()
  number = (number * 1103515245 + 12345) % 1000000
  local body = string.format('{"numbers":["46%09d"]}', 700000000 + number)
  return wrk.format("POST", nil, nil, body)
end
