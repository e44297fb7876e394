// FaultEnv: an environment of RocksDB over the real file system that can lose power and fail operations.
//
// Power: from Cut on nothing reaches the disk any more; close the database, then Boot makes of the files what a power
// loss at the moment of Cut would have left, and switches the power on again.
//
// Threading: any thread; Cut, Boot and Inject from one. Ownership: owns the environment, which must outlive every
// database on it. Failure: of its own, std::runtime_error; a test then stops.
//
//   FaultEnv faults(data, attic);
//   auto database = Database::Open({.directory = data, .env = faults.env()});
//   ...
//   faults.Cut();
//   database->reset();
//   faults.Boot({.tail = PowerLoss::Tail::kHoles, .seed = 7});
#ifndef SIGHTLINE_TESTS_SUPPORT_FAULT_ENV_H_
#define SIGHTLINE_TESTS_SUPPORT_FAULT_ENV_H_

#include <rocksdb/env.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/unsynced.h"

namespace sightline::testing {

// Which operations fail, and how. An operation is counted when it is one of those named.
struct Faults {
  bool append = false, sync = false, create = false, rename = false, remove = false, read = false, folder_sync = false;
  enum class Error {
    kIo,
    kNoSpace,
    kShortWrite,  // of append: part of the data is written before the error
    kPowerOff,    // as Cut
  } error = Error::kIo;
  uint64_t one_in = 0;        // of the operations, by `seed`; 0: none
  uint64_t nth = 0;           // from 1; 0: none
  bool from_then_on = false;  // the nth and all later ones
  std::string path = {};      // only files whose path contains it
  unsigned seed = 0;
  uint64_t free_bytes = 0;  // what the disk says to have left; 0: the truth, or none once it is full for good

  // All but reading.
  static Faults EveryChange() {
    return {.append = true, .sync = true, .create = true, .rename = true, .remove = true, .folder_sync = true};
  }
};

class FaultFileSystem;

class FaultEnv {
 public:
  // `root` holds the databases, and `attic` is a folder beside it (see Unsynced). Both are made when missing.
  FaultEnv(const std::string& root, const std::string& attic);
  ~FaultEnv();

  rocksdb::Env* env() const { return env_.get(); }

  void Inject(const Faults& faults);
  void Heal() { Inject({}); }
  // Since the last Inject.
  uint64_t counted() const;
  uint64_t failed() const;

  void Cut();
  bool power() const;
  void Boot(const PowerLoss& loss);

 private:
  std::shared_ptr<FaultFileSystem> file_system_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_SUPPORT_FAULT_ENV_H_
