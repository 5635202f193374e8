// The room of support/hibernation_contract.h as a Durable Object of a Worker.

#include <escapement/wasm_glue/hibernating_object.h>

#include "support/hibernation_contract.h"

using namespace escapement;
using test::Room;

ESC_HIBERNATING_OBJECT(Room)
