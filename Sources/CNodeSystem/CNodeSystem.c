#include "CNodeSystem.h"
