/* thread.c - see thread.h. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/thread.h"

int  mni_thread_start(mni_thread *t, void *(*fn)(void *), void *ctx)
{
    return pthread_create(t, NULL, fn, ctx) == 0;
}
void mni_thread_join(mni_thread t) { pthread_join(t, NULL); }

int  mni_mutex_init(mni_mutex *m) { return pthread_mutex_init(m, NULL) == 0; }
void mni_mutex_fini(mni_mutex *m) { pthread_mutex_destroy(m); }
void mni_mutex_lock(mni_mutex *m) { pthread_mutex_lock(m); }
int  mni_mutex_try(mni_mutex *m) { return pthread_mutex_trylock(m) == 0; }
void mni_mutex_unlock(mni_mutex *m) { pthread_mutex_unlock(m); }

int  mni_cond_init(mni_cond *c) { return pthread_cond_init(c, NULL) == 0; }
void mni_cond_fini(mni_cond *c) { pthread_cond_destroy(c); }
void mni_cond_wait(mni_cond *c, mni_mutex *m) { pthread_cond_wait(c, m); }
void mni_cond_wake_one(mni_cond *c) { pthread_cond_signal(c); }
void mni_cond_wake_all(mni_cond *c) { pthread_cond_broadcast(c); }

void mni_once_run(mni_once *once, void (*fn)(void)) { pthread_once(once, fn); }
