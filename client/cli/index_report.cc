#include "client/cli/index_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/json.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

// More failures than this are counted and not listed; --json has them all.
constexpr size_t kListedFailures = 50;

}  // namespace

IndexReport::IndexReport(Context& context, bool json, int64_t total, std::string advice)
    : context_(context), json_(json), total_(total), advice_(std::move(advice)), start_(context.clock.Steady()) {
  if (!json) {
    progress_.emplace(Progress::Options{.out = context.err,
                                        .clock = context.clock,
                                        .terminal = context.err_is_terminal,
                                        .columns = context.columns,
                                        .total = total});
  }
}

void IndexReport::Indexed(const std::string& path, const client::ItemOutcome& outcome) {
  ++count_.done;
  const auto& model = outcome.response.model();
  if (model.untrained() && !warned_untrained_) {
    warned_untrained_ = true;
    context_.err.Write(
        // The bar is drawn again below it.
        absl::StrCat(progress_ && context_.err_is_terminal ? "\r\x1b[K" : "", "WARNING: the model ",
                     Printable(model.model()),
                     " is untrained: searches will show that the service works, not how well it finds.\n"));
  }
  if (json_) {
    Event(JsonObject()
              .Text("event", "indexed")
              .Text("id", outcome.id)
              .Text("path", path)
              .Int("revision", outcome.response.revision())
              .Int("attempts", outcome.attempts)
              .Done());
  }
  Tick();
}

void IndexReport::Skipped(const std::string& path, const std::string& id) {
  ++count_.done;
  ++count_.skipped;
  if (json_) Event(JsonObject().Text("event", "skipped").Text("id", id).Text("path", path).Done());
  Tick();
}

void IndexReport::Duplicate(const std::string& path, const std::string& id, const std::string& first_id) {
  ++count_.done;
  ++count_.skipped;
  ++duplicates_;
  if (json_) {
    Event(JsonObject().Text("event", "duplicate").Text("id", id).Text("path", path).Text("first_id", first_id).Done());
  }
  Tick();
}

void IndexReport::Failed(const std::string& path, const std::string& id, const absl::Status& status) {
  ++count_.done;
  ++count_.failed;
  if (failures_.size() < kListedFailures) failures_.emplace_back(path, status.message());
  if (json_) {
    Event(
        JsonObject().Text("event", "failed").Text("id", id).Text("path", path).Raw("error", JsonError(status)).Done());
  }
  Tick();
}

void IndexReport::Tick() {
  if (progress_) progress_->Update(count_);
}

int IndexReport::Finish(bool interrupted) {
  if (progress_) progress_->Finish();
  const double seconds = base::MillisecondsBetween(start_, context_.clock.Steady()) / 1000;
  const int64_t indexed = count_.done - count_.skipped - count_.failed;
  const int64_t skipped = count_.skipped - duplicates_;
  // Files may have come since they were counted.
  const int64_t remaining = std::max<int64_t>(0, total_ - count_.done);
  if (json_) {
    Event(JsonObject()
              .Text("event", "summary")
              .Int("indexed", indexed)
              .Int("skipped", skipped)
              .Int("failed", count_.failed)
              .Int("remaining", remaining)
              .Number("seconds", seconds)
              .Bool("interrupted", interrupted)
              .Int("duplicates", duplicates_)
              .Done());
  } else {
    std::string out = absl::StrFormat("indexed %s in %.1f s", Plural(indexed, "image"), seconds);
    if (indexed > 0 && seconds > 0)
      absl::StrAppendFormat(&out, " (%.1f images/s)", static_cast<double>(indexed) / seconds);
    absl::StrAppend(&out, "\n");
    if (skipped > 0) absl::StrAppend(&out, "skipped ", FormatCount(skipped), " already indexed\n");
    if (duplicates_ > 0) {
      absl::StrAppend(&out, "skipped ", FormatCount(duplicates_),
                      " with the bytes of another file; --keep_duplicates indexes them too\n");
    }
    context_.out.Write(out);
    if (count_.failed > 0) {
      std::string list = absl::StrCat("failed ", FormatCount(count_.failed), ":\n");
      for (const auto& [path, message] : failures_)
        absl::StrAppend(&list, "  ", Printable(path), ": ", Printable(message), "\n");
      const auto unlisted = count_.failed - static_cast<int64_t>(failures_.size());
      if (unlisted > 0) absl::StrAppend(&list, "  and ", FormatCount(unlisted), " more; --json lists them all\n");
      context_.err.Write(list);
    }
    if (remaining > 0 || count_.failed > 0) {
      context_.err.Write(
          absl::StrCat(remaining > 0 ? absl::StrCat(FormatCount(remaining), " not reached. ") : "", advice_, "\n"));
    }
  }
  if (interrupted) return kInterrupted;
  return count_.failed > 0 ? kPartial : kOk;
}

void IndexReport::Event(const std::string& json) { context_.out.Write(absl::StrCat(json, "\n")); }

}  // namespace sightline::cli
