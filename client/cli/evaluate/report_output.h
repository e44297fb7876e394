// What evaluations against a server and of a file have in common: how a report begins and where it goes.
//
// Threading: one thread at a time. Failure: WriteReport writes it and returns the exit code.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_REPORT_OUTPUT_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_REPORT_OUTPUT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "client/cli/command.h"
#include "client/cli/evaluate/benchmark.h"
#include "client/cli/evaluate/report.h"
#include "client/cli/page_pictures.h"

namespace sightline::cli {

// With all that is known before anything is measured.
EvalReport StartReport(const Context& context, const Args& args, const Benchmark& benchmark);

// Adds a note for each split whose means leave queries out. The report has a run.
void NoteLeftOut(const Benchmark& benchmark, EvalReport* report);

// The table, with --json the JSON; with --html the page too, for which `failures` is asked.
int WriteReport(Context& context, const Args& args, const EvalReport& report,
                const std::function<std::vector<EvalFailure>()>& failures);

// The picture of a file, called `name` on the page.
PagePicture ReadPagePicture(PagePictures& pictures, const std::string& name, const std::string& path,
                            int64_t max_image_bytes);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_REPORT_OUTPUT_H_
