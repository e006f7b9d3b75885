-- sysbench: a new connection for each statement. One event is connect, log in, one point select, quit.
-- (sysbench 1.0 has no option for it.) Options are those of oltp_point_select.

require("oltp_common")

function thread_init()
   drv = sysbench.sql.driver()
end

function thread_done()
end

function event()
   local con = drv:connect()
   con:query("SELECT c FROM sbtest1 WHERE id=" .. sysbench.rand.uniform(1, sysbench.opt.table_size))
   con:disconnect()
end
