// Import: from a public checkpoint and an architecture to a model directory.
//
// The directory is written beside its place, loaded once to prove that it works, and only then moved there, so that
// there is either a whole model or none. This header hides LibTorch.
//
// Threading: pure functions of the file system. Failure: Status for files that cannot be read or written; a checkpoint
// that does not fit is no failure but a report.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const ImportReport report, ImportCheckpoint({.checkpoint = "vit.pth", .model_json =
//                              "model/zoo/vit_tiny_patch16_224/model.json", .out = "models/vit"}));
//   if (!report.fits) Print(report.findings);
#ifndef SIGHTLINE_MODEL_WEIGHTS_IMPORT_H_
#define SIGHTLINE_MODEL_WEIGHTS_IMPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/model.h"

namespace sightline::model {

struct ImportOptions {
  std::string checkpoint;         // a file
  std::string model_json;         // the architecture's file
  std::string out;                // the folder to make
  std::string key = {};           // of the state dict; empty: the usual ones are tried
  std::string whitening = {};     // of those that cirtorch keeps in meta.Lw: "retrieval-SfM-120k.ms"; empty: none
  bool partial = false;           // a file without the head: the head's values are the seeded initialisation
  bool allow_unexpected = false;  // tensors that the model has no place for are left out
  bool force = false;             // replace the folder
};

// One tensor that was not simply taken.
struct ImportFinding {
  std::string key;         // in the file; of a missing one the model's name
  std::string file_shape;  // "(64, 3, 7, 7)"; "-" where there is none
  std::string model_shape;
  std::string what;      // "missing", "unexpected", "misshaped", "seeded" or "ignored: ..."
  bool problem = false;  // keeps the model from being written
};

struct ImportReport {
  bool fits = false;  // and was written
  std::string format;
  std::string wrapper;
  std::string names;   // the family of names and the prefix in front of them
  std::string sha256;  // of the checkpoint
  int64_t tensors = 0;
  std::vector<ImportFinding> findings;  // problems first
  std::vector<std::string> notes;       // what of model.json the file decided
  ModelInfo info;                       // of the model as loaded, where it fits
};

absl::StatusOr<ImportReport> ImportCheckpoint(const ImportOptions& options);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_WEIGHTS_IMPORT_H_
