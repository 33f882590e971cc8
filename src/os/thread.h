/* thread.h - threads, mutexes, condition variables: pthreads under names of our own, so
 * that a port changes one file. SPDX-License-Identifier: MIT */
#ifndef MNI_OS_THREAD_H
#define MNI_OS_THREAD_H

#include <pthread.h>

typedef pthread_t       mni_thread;
typedef pthread_mutex_t mni_mutex;
typedef pthread_cond_t  mni_cond;
typedef pthread_once_t  mni_once;
#define MNI_ONCE_INIT PTHREAD_ONCE_INIT

int  mni_thread_start(mni_thread *t, void *(*fn)(void *), void *ctx);   /* 1 if started */
void mni_thread_join(mni_thread t);

int  mni_mutex_init(mni_mutex *m);          /* 1 if made */
void mni_mutex_fini(mni_mutex *m);
void mni_mutex_lock(mni_mutex *m);
int  mni_mutex_try(mni_mutex *m);           /* 1 if taken */
void mni_mutex_unlock(mni_mutex *m);

int  mni_cond_init(mni_cond *c);            /* 1 if made */
void mni_cond_fini(mni_cond *c);
void mni_cond_wait(mni_cond *c, mni_mutex *m);
void mni_cond_wake_one(mni_cond *c);
void mni_cond_wake_all(mni_cond *c);

/* fn runs once in the life of the program; whoever returns from here sees what it
 * wrote. */
void mni_once_run(mni_once *once, void (*fn)(void));

#endif
