// hiredis.h uses struct timeval without including its header on every platform.
#include <sys/time.h>
#include <hiredis/read.h>
#include <hiredis/hiredis.h>
