// Follow: waits for an operation of the server and shows how far it is. On a terminal one line that is redrawn,
// elsewhere a plain line every few seconds.
//
// Threading: one thread at a time. Failure: the server's error; an operation that ended badly is no failure here.
//
//   const auto started = client.OptimizeCollection(request);
//   const auto ended = Follow(context, client, *started);
#ifndef SIGHTLINE_CLIENT_CLI_FOLLOW_H_
#define SIGHTLINE_CLIENT_CLI_FOLLOW_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/command.h"
#include "sightline/v1/operation.pb.h"

namespace sightline::cli {

// Returns the operation as it ended.
absl::StatusOr<v1::Operation> Follow(Context& context, client::Client& client, v1::Operation operation);

// The same for a verb that has just started `operation`. With --detach nothing is followed: its name is printed, and
// there is no operation in the result.
absl::StatusOr<std::optional<v1::Operation>> FollowUnlessDetached(Context& context, const Args& args,
                                                                  client::Client& client,
                                                                  const v1::Operation& operation);

// Whether it has ended, well or badly.
bool HasEnded(const v1::Operation& operation);

// "running", "failed".
std::string StateText(const v1::Operation& operation);

// "12,345/100,000 12 %"; empty while nothing is known.
std::string ProgressText(const v1::Operation& operation);

// Writes what became of an ended operation, as JSON with --json, and returns the exit code.
int ReportEnded(Context& context, const Args& args, const v1::Operation& operation);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_FOLLOW_H_
