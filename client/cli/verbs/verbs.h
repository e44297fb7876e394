// The verbs, one file each.
#ifndef SIGHTLINE_CLIENT_CLI_VERBS_VERBS_H_
#define SIGHTLINE_CLIENT_CLI_VERBS_VERBS_H_

#include "client/cli/command.h"

namespace sightline::cli {

Command IndexCommand();
Command SearchCommand();
Command EvaluateCommand();
Command ExplainCommand();
Command GetCommand();
Command ListCommand();
Command UpdateCommand();
Command DeleteCommand();
Command CollectionsCommand();
Command AliasesCommand();
Command SnapshotCommand();
Command ConfidenceCommand();
Command DuplicatesCommand();
Command OptimizeCommand();
Command ReembedCommand();
Command KeysCommand();
Command ModelsCommand();
Command ExportCommand();
Command OperationsCommand();
Command ValuesCommand();
Command StatusCommand();
Command DoctorCommand();
Command ReadyCommand();
Command VersionCommand();
Command CompletionCommand();
Command CompleteCommand();

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_VERBS_VERBS_H_
