// The page of the guests' tests.

import { carryOut } from "./commands.js";
import * as functions from "./page-functions.js";

carryOut(functions);
