// The task tree of builds without: tasks do not note what they wait for.

#include <escapement/core/task_tree.h>

namespace escapement {

std::vector<TaskNode> task_tree(Reactor&) { return {}; }

}  // namespace escapement
